"""`ei config`: every kind of file, read as the one who uses it reads it."""

import tomllib
from pathlib import Path

import pytest
from tests.cli.conftest import LAB_TOPOLOGY, Run

from ei.cli.exits import Exit


@pytest.fixture(autouse=True)
def node_file(ei: Run, tmp_path: Path) -> Path:
    """A node.toml with all that it names."""
    domain = ("--domain-number", "1")
    assert ei("key", "new", "domain.key").code == Exit.OK
    assert ei("node", "init", "sn1.isp-a", *domain, "--endpoint", "127.0.0.1:40000").code == Exit.OK
    assert ei("host", "init", "alice.isp-a", *domain).code == Exit.OK
    (tmp_path / "topology.toml").write_text(LAB_TOPOLOGY)
    return tmp_path / "sn1.isp-a" / "node.toml"


def origins_of(ei: Run, path: str) -> dict[object, tuple[object, object]]:
    """Return value and origin of each key that counts."""
    settings = ei("config", "show", path, "--effective", "--origin", "--json").document["settings"]
    assert isinstance(settings, list)
    return {each["key"]: (each["value"], each["origin"]) for each in settings}


def test_a_check_says_what_the_users_of_the_file_say(ei: Run) -> None:
    for kind, path in (("node", "sn1.isp-a/node.toml"), ("host", "alice.isp-a/host.toml")):
        said = ei("config", "check", path)

        assert said.code == Exit.OK, said.err
        assert said.out == ei(kind, "check", "--config", path).out
    assert "2 domains, 2 nodes, 3 hosts" in ei("config", "check", "topology.toml").out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("node.toml", "version = 1", "`name` is missing"),
        (
            "mine.toml",
            "name = 'sn1.a'\nbinds = ['[::]:1']\ndomain_number = 1",
            "`version` is missing",
        ),
        ("host.toml", "nodez = []", "did you mean 'nodes'"),
        ("topology.toml", "version = 2", "missing required field `domains`"),
        ("mine.toml", "[domains.isp-a.hosts.alice]", "missing required field `version`"),
        ("governance.toml", "version = 1", "`threshold` is missing"),
        ("other.toml", "[", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_its_kind(
    ei: Run, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)

    for verb in ("check", "show"):
        answer = ei("config", verb, name)

        assert answer.code == Exit.ERROR
        assert said in " ".join(answer.err.split())


def test_each_key_that_counts_is_shown_with_where_it_comes_from(ei: Run, node_file: Path) -> None:
    text = node_file.read_text().replace("# threads = 1", "threads = 2")
    _ = node_file.write_text(text + "\n[config.delivery]\ndecision_s = 3.0\n")
    lines = node_file.read_text().splitlines()

    found = origins_of(ei, str(node_file))

    assert found["threads"] == (2, f"line {lines.index('threads = 2') + 1}")
    assert found["spin_us"] == (50, "default")
    assert found["config.delivery.decision_s"] == (3.0, f"line {len(lines)}")
    assert "manifest of multicast" in {origin for _, origin in found.values()}


def test_what_is_shown_is_toml_that_says_the_same(ei: Run, node_file: Path) -> None:
    said = ei("config", "show", str(node_file), "--origin")

    assert said.code == Exit.OK
    assert tomllib.loads(said.out) == tomllib.loads(node_file.read_text())


def test_a_topology_shows_the_numbers_services_and_links_it_comes_to(ei: Run) -> None:
    found = origins_of(ei, "topology.toml")

    assert found["domains.isp-b.number"] == (2, "derived")
    assert found["domains.isp-a.nodes.sn1.services"] == (["delivery", "echo"], "derived")
    assert found["link_defaults.node.loss"] == (0.0, "default")


def test_without_a_name_it_is_the_file_of_the_environment(
    ei: Run, node_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EI_CONFIG", str(node_file))

    assert ei("config", "show", "--json").document["path"] == str(node_file)
