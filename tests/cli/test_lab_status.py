import pytest
from tests.cli.conftest import Run

from ei.cli.lab_status import words


def test_properties_of_a_link_are_in_words() -> None:
    assert words({"delay_ms": 40.0, "loss": 0.02, "is_cut": False}) == "delay 40 ms, loss 0.02"
    assert words({"delay_ms": 40.0, "is_cut": True}) == "cut"
    assert words({"delay_ms": 0.0}) == "unimpaired"


@pytest.mark.slow
def test_every_process_and_link_is_shown(lab: Run) -> None:
    said = lab("lab", "status")

    assert said.out.count("running") == 5
    assert "sn1.isp-a--sn1.isp-b" in said.out
