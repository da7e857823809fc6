"""What the killed worker of the demo promises."""

import pytest

from ei.lab.demo import Outcome
from ei.lab.demo_worker import BIN_S, LOAD_S, binned, increments


def test_what_was_counted_between_two_readings_is_spread_over_the_time_between() -> None:
    spread = increments([(0.0, 0), (0.4, 20), (0.5, 20)])

    assert sum(count for _, count in spread) == pytest.approx(20)
    assert binned(spread)[:5] == pytest.approx([4.0, 6.0, 4.0, 6.0, 0.0], abs=2.1)


def test_what_comes_after_the_end_is_left_out() -> None:
    assert len(binned([(LOAD_S + 1, 1.0)])) == int(LOAD_S / BIN_S)
    assert sum(binned([(LOAD_S + 1, 1.0)])) == 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_killed_worker_is_back_and_nobody_else_noticed(demo: Outcome) -> None:
    measured = {each.name: each.measured for each in demo.report.promises}

    assert isinstance(back_ms := measured["a killed worker is back"], float)
    assert 0 < back_ms < 2_000
    assert measured["datagrams of another service lost meanwhile"] == 0
