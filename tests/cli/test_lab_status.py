import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.lab_status import words


def test_properties_of_a_link_are_in_words() -> None:
    assert words({"delay_ms": 40.0, "loss": 0.02, "is_cut": False}) == "delay 40 ms, loss 0.02"
    assert words({"delay_ms": 40.0, "is_cut": True}) == "cut"
    assert words({"delay_ms": 0.0}) == "unimpaired"


@pytest.mark.slow
def test_other_labs_that_run_are_named(lab: Run) -> None:
    said = lab("lab", "status", "--lab", "another")

    assert said.code == Exit.UNREACHABLE
    assert "Others run: default. See one: ei lab status --lab default" in said.err
    assert lab("lab", "status", "--json").document["others"] == []


@pytest.mark.slow
def test_every_process_and_link_is_shown(lab: Run) -> None:
    said = lab("lab", "status")

    assert said.out.count("running") == 5
    assert "sn1.isp-a--sn1.isp-b" in said.out
