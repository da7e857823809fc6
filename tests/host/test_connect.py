"""A host is found where its configuration is, and says what is missing."""

from pathlib import Path

import pytest

from ei.errors import ConfigError, DeniedError
from ei.host.connect import connect, find_host_config, prepare_host
from ei.host.init import init_host
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.key_files import read_keys, write_keys
from ei.records.keys import Keys, make_keys

FAR_UNIX_S = 4_000_000_000


def files(folder: Path) -> Path:
    """Write the files of alice; return her host.toml."""
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=FAR_UNIX_S)
    roll = Roll(issuer, folder / "records.eir", unix_s=1_700_000_000)
    node = make_keys(b"n" * 32)
    _ = roll.add(
        lambda _: [issuer.node(node, "sn1.isp-a", endpoints=("127.0.0.1:9",), services=(16,))]
    )
    new = init_host(folder / "alice", name="alice", nodes=(), roll=roll, randomness=b"a" * 32)
    # An attachment that never ends is refused; the configuration names the node instead.
    text = new.path.read_text().replace("# nodes = []", 'nodes = ["sn1.isp-a"]')
    return _rewrite(new.path, text)


def _rewrite(path: Path, text: str) -> Path:
    _ = path.write_text(text)
    return path


def test_the_first_place_that_is_named_counts(tmp_path: Path) -> None:
    environ = {"EI_CONFIG": "/named", "HOME": str(tmp_path)}
    own = tmp_path / ".config" / "ei" / "host.toml"
    own.parent.mkdir(parents=True)
    _ = own.write_text("")

    assert find_host_config("/given", environ=environ) == Path("/given")
    assert find_host_config(None, environ=environ) == Path("/named")
    assert find_host_config(None, environ={"HOME": str(tmp_path)}) == own
    with pytest.raises(ConfigError, match=r"no host\.toml in") as caught:
        _ = find_host_config(None, environ={"HOME": str(tmp_path / "nobody")})
    assert "ei host init" in caught.value.remedy


def test_a_host_comes_from_its_files(tmp_path: Path) -> None:
    host = connect(files(tmp_path), environ={})

    try:
        assert host.name == "alice.isp-a"
        assert host.status().attachments[0].node == "sn1.isp-a"
        assert not host.status().attachments[0].is_up
    finally:
        host.close()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = files(tmp_path)
    (path.parent / "key").chmod(0o644)

    with pytest.raises(DeniedError, match="others may use this key"):
        _ = prepare_host(path)


def test_a_refused_attachment_is_named_as_the_reason(tmp_path: Path) -> None:
    path = files(tmp_path)
    _ = _rewrite(path, path.read_text().replace('nodes = ["sn1.isp-a"]', "nodes = []"))

    with pytest.raises(ConfigError, match=r"has no nodes: .* was refused: lives [0-9]+ s more"):
        _ = connect(path, environ={})


def test_a_host_without_an_enrolment_says_so(tmp_path: Path) -> None:
    path = files(tmp_path)
    _ = _rewrite(path, path.read_text().replace("domain_number = 1", "domain_number = 2"))

    with pytest.raises(
        ConfigError, match=r"no host with the key of alice\.isp-a and domain_number 2"
    ):
        _ = prepare_host(path)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (
            'name = "alice.isp-a"',
            'name = "bob.isp-a"',
            "name: 'bob.isp-a' seen; the records know its key as alice",
        ),
        ('nodes = ["sn1.isp-a"]', 'nodes = ["sn9.isp-a"]', "nodes: .* no node 'sn9.isp-a'"),
        ('nodes = ["sn1.isp-a"]', 'nodes = ["alice.isp-a"]', "nodes: .* no node 'alice.isp-a'"),
    ],
)
def test_what_the_records_do_not_know_is_said_before_anything_runs(
    tmp_path: Path, good: str, bad: str, said: str
) -> None:
    path = files(tmp_path)
    _ = _rewrite(path, path.read_text().replace(good, bad))

    with pytest.raises(ConfigError, match=said):
        _ = prepare_host(path)


def test_a_host_enrolled_with_another_pipe_key_says_so(tmp_path: Path) -> None:
    path = files(tmp_path)
    keys = read_keys(path.parent / "key")
    (path.parent / "key").unlink()
    write_keys(path.parent / "key", Keys(keys.identity_secret, b"x" * 32))

    with pytest.raises(ConfigError, match="another pipe key of alice"):
        _ = prepare_host(path)


def test_when_the_dns_is_silent_the_nodes_of_the_file_count(tmp_path: Path) -> None:
    path = files(tmp_path)
    silent = 'dns_domain = "isp-a.example"\nresolvers = ["127.0.0.1:9"]\n[trust]'
    _ = _rewrite(path, path.read_text().replace("[trust]", silent))

    prepared = prepare_host(path)

    assert prepared.names == ("sn1.isp-a",)
    assert prepared.located is not None
    assert "the DNS does not say where the nodes of isp-a.example are" in prepared.located.trouble


def test_without_any_nodes_the_dns_is_blamed_as_well(tmp_path: Path) -> None:
    path = files(tmp_path)
    silent = 'dns_domain = "isp-a.example"\nresolvers = ["127.0.0.1:9"]\n[trust]'
    text = path.read_text().replace('nodes = ["sn1.isp-a"]', "").replace("[trust]", silent)
    _ = _rewrite(path, text.replace("attachment_limit_s = 31_536_000", "attachment_limit_s = 1"))

    with pytest.raises(ConfigError, match=r"DNS does not say.*has no nodes") as caught:
        _ = prepare_host(path)

    assert "nodes = " in caught.value.remedy
