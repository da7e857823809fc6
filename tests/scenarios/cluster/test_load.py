"""What the load of the scenario counts."""

from ei.lab.histories import Operation
from ei.scenarios.cluster.load import Load


def write(ended_s: float, *, is_done: bool = True) -> Operation:
    outcome = "done" if is_done else "unknown"
    return Operation("write", "x", str(ended_s), ended_s - 0.01, ended_s, outcome)


def test_the_gap_is_the_longest_time_between_acknowledged_writes_around_a_fault() -> None:
    load = Load([write(1.0), write(2.0), write(2.3, is_done=False), write(2.7), write(2.8)])

    assert load.gap_s(2.1, 2.9) == 0.7
    assert load.gap_s(2.75, 2.9) == 0.1


def test_a_load_that_never_comes_back_has_a_gap_to_the_end() -> None:
    load = Load([write(1.0), write(2.0)])

    assert load.gap_s(2.0, 6.5) == 4.5
    assert Load().gap_s(2.0, 6.5) == 4.5


def test_only_what_was_acknowledged_is_done() -> None:
    assert len(Load([write(1.0), write(2.0, is_done=False)]).done) == 1
