from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

NODE = ("node", "init", "sn1.isp-a", "--domain-number", "1", "--endpoint", "127.0.0.1:40000")


def test_a_new_node_passes_its_own_check(ei: Run) -> None:
    assert ei("key", "new", "domain.key").code == Exit.OK

    made = ei(*NODE, "--json")
    checked = ei("node", "check", "--config", "sn1.isp-a/node.toml", "--json")

    assert made.document["name"] == "sn1.isp-a"
    assert checked.code == Exit.OK, checked.err
    assert checked.document["services"] == ["delivery", "reach", "echo", "multicast", "termination"]
    assert checked.document["refused"] == {}


def test_without_a_domain_key_the_way_to_make_one_is_said(ei: Run) -> None:
    said = ei(*NODE)

    assert said.code == Exit.ERROR
    assert "ei domain init" in said.err


def test_nothing_is_overwritten(ei: Run, tmp_path: Path) -> None:
    assert ei("key", "new", "domain.key").code == Exit.OK
    assert ei(*NODE).code == Exit.OK
    before = (tmp_path / "sn1.isp-a" / "node.toml").read_bytes()

    assert ei(*NODE).code == Exit.CONFLICT

    assert (tmp_path / "sn1.isp-a" / "node.toml").read_bytes() == before


def test_a_name_without_a_domain_is_refused(ei: Run) -> None:
    said = ei("node", "init", "sn1", "--domain-number", "1", "--endpoint", "127.0.0.1:1")

    assert said.code == Exit.ERROR
    assert "sn1.isp-a" in said.err


@pytest.mark.parametrize("flag", ["--endpoint", "--bind"])
def test_an_endpoint_without_a_port_is_refused_before_anything_is_written(
    ei: Run, tmp_path: Path, flag: str
) -> None:
    said = ei(*NODE, flag, "192.0.2.1")

    assert said.code == Exit.ERROR
    assert f"{flag}: '192.0.2.1' is not IP:PORT, such as 192.0.2.1:3535" in said.err
    assert not list(tmp_path.iterdir())
