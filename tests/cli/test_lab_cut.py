import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


@pytest.mark.slow
def test_a_link_is_cut_and_healed_to_what_the_topology_says(lab: Run) -> None:
    before = lab("lab", "status").out
    cut = lab("lab", "cut", "alice--sn1.isp-a")
    while_cut = lab("lab", "status").out
    healed = lab("lab", "heal", "alice--sn1.isp-a")

    assert cut.code == healed.code == Exit.OK
    assert "ei lab heal alice--sn1.isp-a" in cut.err
    assert "cut" in while_cut
    assert "cut" not in before
    assert "cut" not in lab("lab", "status").out


def test_what_is_no_link_is_refused(ei: Run) -> None:
    assert "is not A--B" in ei("lab", "cut", "alice-bob").err
    assert "ei lab heal --help" in ei("lab", "heal", "alice-bob").err
