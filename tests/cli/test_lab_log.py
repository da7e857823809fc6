import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


def test_a_node_tells_what_happened_to_it(lab: Run) -> None:
    said = lab("lab", "log", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "node runs" in said.out
    assert "peer up" in said.out


def test_only_the_last_lines_are_shown(lab: Run) -> None:
    document = lab("lab", "log", "sn1.isp-a", "--lines", "2", "--json").document

    lines = document["lines"]
    assert isinstance(lines, list)
    assert len(lines) == 2
