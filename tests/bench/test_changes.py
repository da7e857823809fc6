"""Records that change: how soon that is known, through two real nodes."""

import pytest

from ei.bench.changes import LIMIT_MS, run_changes, sum_up


def test_the_slowest_hundredth_counts_and_the_slowest_is_named() -> None:
    met = sum_up([10.0] * 98 + [900.0] * 2, records=100)
    missed = sum_up([10.0] * 98 + [1_100.0] * 2, records=100)

    assert (met.status, met.measured, met.limit) == ("ok", 900.0, LIMIT_MS)
    assert "slowest 900 ms" in met.note
    assert missed.status == "missed"


@pytest.mark.parametrize("heard", [[], [10.0] * 99])
def test_a_change_that_is_never_heard_of_is_no_good_figure(heard: list[float]) -> None:
    figure = sum_up(heard, records=100)

    assert figure.status == "invalid"
    assert "never heard of" in figure.note


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_changes_reach_a_user_in_another_domain_through_two_real_nodes() -> None:
    took_ms = run_changes(records=50, seconds=0.5)

    assert len(took_ms) == 50
    assert min(took_ms) > 0.0
