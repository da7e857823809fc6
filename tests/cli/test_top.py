import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


def test_off_a_terminal_it_looks_once_and_ends(lab: Run) -> None:
    said = lab("top", "--interval", "100ms")

    assert said.code == Exit.OK
    assert said.out.count("sn1.isp-a") == 1
    assert "\x1b" not in said.out


def test_as_json_there_is_one_object_for_the_last_look(lab: Run) -> None:
    document = lab("top", "--interval", "100ms", "--count", "2", "--json").document

    assert document["schema"] == "ei.top/1"
    nodes = document["nodes"]
    assert isinstance(nodes, list)
    assert [node["name"] for node in nodes] == ["sn1.isp-a", "sn1.isp-b"]
    assert all(node["received"] > 0 for node in nodes)
