"""A figure of the machine counts when it is missed twice, everything else at once."""

from collections.abc import Iterator

from tests.scenarios.figures import broken

from ei.lab.promises import Promise, Report, promise, unsupported

SLOW, FAST = promise("wait: 7 ms", 7.0, "<=", 5.0, unit="ms"), promise("wait: 4 ms", 4, "<=", 5)
LOST, WHOLE = promise("lost", 1, "==", 0, unit="messages"), promise("lost", 0, "==", 0)


def reports(*runs: tuple[Promise, ...]) -> Iterator[Report]:
    for promises in runs:
        yield Report(scenario="x", backend="processes", seed=1, digest=None, promises=promises)


def test_a_figure_is_broken_when_it_is_missed_twice() -> None:
    assert broken(reports((SLOW, WHOLE), (SLOW, WHOLE)).__next__) == [SLOW]
    assert broken(reports((SLOW, WHOLE), (FAST, WHOLE)).__next__) == []


def test_what_a_run_missed_for_the_first_time_when_it_was_repeated_is_no_second_miss() -> None:
    other = promise("rate", 1.0, ">=", 2.0, unit="1/s")

    assert broken(reports((SLOW,), (FAST, other)).__next__) == []


def test_everything_else_is_broken_at_once() -> None:
    assert broken(reports((SLOW, LOST)).__next__) == [SLOW, LOST]
    assert broken(reports((SLOW,), (FAST, LOST)).__next__) == [LOST]


def test_what_cannot_be_measured_here_is_not_broken() -> None:
    assert broken(reports((WHOLE, unsupported("zstd", "==", 1))).__next__) == []
