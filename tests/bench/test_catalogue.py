"""What measuring promises, with benches that need no machine."""

from collections.abc import Iterator

import pytest

from ei.bench.catalogue import BENCHES, measure
from ei.bench.figures import Figure, figure
from ei.errors import NotFoundError


def one(*, runs: int) -> Iterator[Figure]:
    yield figure("one", [1.0] * runs, unit="ns")


def two(*, runs: int) -> Iterator[Figure]:
    yield figure("two a", [2.0] * runs, unit="ns")
    yield figure("two b", [2.0] * runs, unit="ns")


def never(*, runs: int) -> Iterator[Figure]:
    raise AssertionError("measured although it was not asked for")
    yield figure("never", [0.0] * runs, unit="ns")


def test_an_unknown_figure_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(NotFoundError, match="no figure 'tow'; there are never, two"):
        measure(("never", "tow"), benches={"never": never, "two": two})


def test_without_a_name_all_are_measured_in_order() -> None:
    report = measure(benches={"one": one, "two": two})

    assert [each.name for each in report.figures] == ["one", "two a", "two b"]


def test_what_is_named_is_measured_and_nothing_else() -> None:
    report = measure(("two",), benches={"never": never, "two": two})

    assert [each.name for each in report.figures] == ["two a", "two b"]


def test_each_figure_is_of_as_many_runs_as_were_asked_for() -> None:
    report = measure(runs=3, benches={"one": one, "two": two})

    assert [each.runs for each in report.figures] == [3, 3, 3]


def test_a_figure_is_told_as_soon_as_it_is_known() -> None:
    told: list[str] = []

    def last(*, runs: int) -> Iterator[Figure]:
        assert told == ["one"]
        yield figure("last", [1.0] * runs, unit="ns")

    measure(benches={"one": one, "last": last}, on_figure=lambda it: told.append(it.name))

    assert told == ["one", "last"]


@pytest.mark.parametrize(
    ("names", "repeat"), [(("two", "one"), "ei bench two one --runs 2"), ((), "ei bench --runs 2")]
)
def test_the_report_says_how_to_measure_again(names: tuple[str, ...], repeat: str) -> None:
    report = measure(names, runs=2, benches={"one": one, "two": two})

    assert report.repeat == repeat


def test_the_figures_that_there_are() -> None:
    assert list(BENCHES) == [
        "hit",
        "xdp",
        "fanout",
        "relays",
        "decisions",
        "copies",
        "pipes",
        "threads",
        "miss",
        "latency",
        "handshake",
        "directory",
        "changes",
        "receipts",
        "services",
        "simulate",
        "splice",
        "stream",
    ]
