import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

pytestmark = pytest.mark.slow


def test_what_was_killed_is_missed_and_can_be_started_again(lab: Run) -> None:
    killed = lab("lab", "kill", "victim")
    without = lab("status")
    started = lab("lab", "start", "victim")

    assert killed.out == "victim.isp-b killed\n"
    assert "ei lab start victim.isp-b" in killed.err
    assert without.code == Exit.NEGATIVE
    assert "✗ victim.isp-b" in without.out
    assert started.code == Exit.OK, started.err
    assert lab("status").code == Exit.OK


def test_a_frozen_host_does_not_hide_the_others(lab: Run) -> None:
    assert lab("lab", "freeze", "victim").code == Exit.OK
    without = lab("status")
    assert lab("lab", "thaw", "victim").code == Exit.OK

    assert "✗ victim.isp-b" in without.out
    assert "alice.isp-a" in without.out


def test_nobody_of_that_name_is_hurt(lab: Run) -> None:
    assert "did you mean alice.isp-a" in lab("lab", "kill", "alize.isp-a").err
