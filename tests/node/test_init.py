"""`ei node init` writes files that `ei node check` accepts, and overwrites nothing."""

import re
import stat
import tomllib
from pathlib import Path

import msgspec
import pytest

from ei.errors import ConfigError, ConflictError
from ei.node.config import NodeConfig, load_node_config
from ei.node.init import SYSTEM_FOLDER, TEMPLATE, NewNode, init_node
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.key_files import read_keys
from ei.records.keys import make_keys
from ei.records.record_files import read_records
from ei.records.record_set import verify_records
from ei.records.trust import trusted_keys

ISSUER = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=2_000)


def init(
    folder: Path,
    *,
    name: str = "sn1",
    randomness: bytes = b"n" * 32,
    system_folder: Path = SYSTEM_FOLDER,
) -> NewNode:
    return init_node(
        folder / name,
        name=name,
        bind="[::]:3535",
        endpoint="192.0.2.1:3535",
        roll=Roll(ISSUER, folder / "records.eir", unix_s=1_000),
        randomness=randomness,
        services=("delivery", "echo"),
        system_folder=system_folder,
    )


def test_a_node_of_the_system_writes_where_systemd_lets_it(tmp_path: Path) -> None:
    ours, systems = (
        init(tmp_path),
        init(tmp_path, name="sn2", randomness=b"m" * 32, system_folder=tmp_path),
    )

    assert load_node_config(ours.path).admin_socket == "admin.sock"
    config = load_node_config(systems.path)
    assert (config.state_directory, config.admin_socket) == ("/var/lib/ei", "/run/ei/node.sock")


def test_what_was_written_is_a_node_that_its_domain_has_signed(tmp_path: Path) -> None:
    new = init(tmp_path)

    config = load_node_config(new.path)
    records = verify_records(
        read_records(tmp_path / "records.eir"), trust=trusted_keys(config.trust), unix_s=1_000
    )
    keys = read_keys(new.path.parent / "key")
    assert keys.address(config.domain_number) == new.address
    assert records.nodes[new.address].name == config.name == "sn1.isp-a"
    assert records.nodes[new.address].endpoints == ("192.0.2.1:3535",)
    assert stat.S_IMODE((new.path.parent / "key").stat().st_mode) == 0o600


def test_every_setting_is_in_the_commented_file() -> None:
    mentioned = set(re.findall(r"^(?:# )?\[?([a-z_]+)", TEMPLATE, flags=re.MULTILINE))

    assert {field.name for field in msgspec.structs.fields(NodeConfig)} <= mentioned


def test_the_defaults_shown_are_the_defaults() -> None:
    shown = dict(re.findall(r"^# ([a-z_]+) = ([0-9_]+|\"[^\"]*\")$", TEMPLATE, flags=re.MULTILINE))
    defaults = {field.name: field.default for field in msgspec.structs.fields(NodeConfig)}

    assert len(shown) > 8
    for name, text in shown.items():
        assert tomllib.loads(f"x = {text}")["x"] == defaults[name]


def test_a_second_node_joins_the_same_records(tmp_path: Path) -> None:
    _ = init(tmp_path)

    second = init(tmp_path, name="sn2", randomness=b"m" * 32)

    records = verify_records(
        read_records(tmp_path / "records.eir"),
        trust={"isp-a": ISSUER.keys.identity_key},
        unix_s=1_000,
    )
    assert records.refused == ()
    assert records.names["sn2.isp-a"] == second.address


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    _ = init(tmp_path)
    before = (tmp_path / "sn1" / "key").read_bytes()

    with pytest.raises(ConflictError, match="exists, and is not overwritten"):
        _ = init(tmp_path, randomness=b"x" * 32)

    assert (tmp_path / "sn1" / "key").read_bytes() == before


def test_a_name_of_another_domain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'sn1\.isp-b' is not of domain 'isp-a'"):
        _ = init(tmp_path, name="sn1.isp-b")
