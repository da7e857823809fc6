"""What the load of the scenario counts."""

from collections import Counter

from ei.scenarios.drain.load import Flow, Seen, gap_ms


def test_what_was_accepted_and_never_came_is_lost() -> None:
    flow = Flow(sent=5, refused=1, outcomes=Counter(delivered=3, unknown=2), numbers={0, 1, 3})

    seen = Seen([flow, Flow(sent=1, numbers={0})], duration_s=2.0)

    assert (seen.sent, seen.refused, seen.lost, seen.undelivered) == (6, 1, 1, 2)
    assert seen.rate_pps == 3.0


def test_the_gap_is_that_of_the_worst_flow() -> None:
    seen = Seen([Flow(times_s=[1.0, 1.1]), Flow(times_s=[1.0, 1.25, 1.3]), Flow()])

    assert seen.gap_ms == 250.0
    assert gap_ms([]) == 0.0
