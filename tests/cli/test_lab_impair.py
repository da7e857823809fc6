import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


@pytest.mark.slow
def test_a_link_gets_slow_and_is_healed(lab: Run) -> None:
    impaired = lab("lab", "impair", "alice--sn1.isp-a", "--delay", "60ms", "--json").document
    slow = lab("ping", "alice", "--service", "echo", "--count", "1", "--json").document
    healed = lab("lab", "impair", "alice--sn1.isp-a")

    assert healed.code == Exit.OK
    assert "to heal it" not in healed.err
    assert impaired["impairment"] == {"delay_ms": 60.0}
    rtts_s = slow["rtts_s"]
    assert isinstance(rtts_s, list)
    assert rtts_s[0] > 0.12
    assert "unimpaired" in lab("lab", "status").out


@pytest.mark.slow
def test_a_link_that_is_not_there_is_suggested(lab: Run) -> None:
    said = lab("lab", "impair", "alice--bob", "--cut")

    assert said.code == Exit.NEGATIVE
    assert "there is no link" in said.err.lower()


def test_what_is_no_link_is_refused(ei: Run) -> None:
    assert "is not A--B" in ei("lab", "impair", "alice-bob", "--cut").err


def test_a_quantity_without_its_unit_is_refused(ei: Run) -> None:
    assert "such as 40ms" in ei("lab", "impair", "a--b", "--delay", "40").err
