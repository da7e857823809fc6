"""`ei host init` writes files that `ei host check` accepts, and overwrites nothing."""

import re
from pathlib import Path

import msgspec
import pytest

from ei.errors import ConfigError, ConflictError, NotFoundError
from ei.host.config import HostConfig, load_host_config
from ei.host.init import TEMPLATE, NewHost, init_host
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_files import read_records
from ei.records.record_set import verify_records
from ei.records.trust import trusted_keys

ISSUER = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=2_000)
NODES = [make_keys(letter * 32) for letter in (b"1", b"2", b"3")]


def roll(folder: Path, *, nodes: int = 3) -> Roll:
    """A record file with some nodes."""
    made = Roll(ISSUER, folder / "records.eir", unix_s=1_000)
    _ = made.add(
        lambda _: [
            ISSUER.node(keys, f"sn{number}.isp-a", endpoints=("[::1]:1",), services=(16,))
            for number, keys in enumerate(NODES[:nodes], start=1)
        ]
    )
    return made


def init(folder: Path, made: Roll, *, nodes: tuple[str, ...] = ()) -> NewHost:
    return init_host(folder / "alice", name="alice", nodes=nodes, roll=made, randomness=b"a" * 32)


def test_what_was_written_is_a_host_that_is_enrolled_and_attached(tmp_path: Path) -> None:
    new = init(tmp_path, roll(tmp_path))

    config = load_host_config(new.path)
    records = verify_records(
        read_records(Path(config.records_file)), trust=trusted_keys(config.trust), unix_s=1_000
    )
    assert records.refused == ()
    assert records.enrolments[new.address].names == (config.name,) == ("alice.isp-a",)
    assert new.nodes == ("sn1.isp-a", "sn2.isp-a")
    assert len(records.attachments[new.address].nodes) == 2


def test_the_nodes_can_be_chosen(tmp_path: Path) -> None:
    new = init(tmp_path, roll(tmp_path), nodes=("sn3.isp-a",))

    assert new.nodes == ("sn3.isp-a",)


def test_every_setting_is_in_the_commented_file() -> None:
    mentioned = set(re.findall(r"^(?:# )?\[?([a-z_]+)", TEMPLATE, flags=re.MULTILINE))

    assert {field.name for field in msgspec.structs.fields(HostConfig)} <= mentioned


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    made = roll(tmp_path)
    _ = init(tmp_path, made)

    with pytest.raises(ConflictError, match="exists, and is not overwritten"):
        _ = init(tmp_path, made)


def test_a_node_that_is_not_there_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    made = roll(tmp_path)

    with pytest.raises(NotFoundError, match="did you mean sn"):
        _ = init(tmp_path, made, nodes=("sn9.isp-a",))

    assert not (tmp_path / "alice" / "host.toml").exists()
    assert not (tmp_path / "alice" / "key").exists()


def test_without_any_node_it_says_what_comes_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="knows no node") as caught:
        _ = init(tmp_path, roll(tmp_path, nodes=0))

    assert "ei node init" in caught.value.remedy
