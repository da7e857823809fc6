"""What a figure promises: the median of its runs, and an honest status."""

import msgspec
import pytest

from ei.bench.figures import Report, Status, figure, machine


def test_it_is_the_median_beside_that_of_the_baseline() -> None:
    made = figure("hit", [30.0, 10.0, 20.0], unit="ns", baseline=[4.0, 100.0, 8.0])

    assert (made.measured, made.baseline, made.ratio) == (20.0, 8.0, 2.5)
    assert (made.spread, made.runs) == ((10.0, 30.0), 3)


def test_one_far_run_widens_the_spread_and_leaves_the_figure() -> None:
    made = figure("hit", [10.0, 10.0, 10.0, 10.0, 900.0], unit="ns")

    assert (made.measured, made.spread) == (10.0, (10.0, 900.0))


def test_without_a_baseline_there_is_no_ratio() -> None:
    made = figure("hit", [10.0], unit="ns")

    assert (made.baseline, made.ratio) == (None, None)


def test_a_baseline_of_nothing_gives_no_ratio() -> None:
    made = figure("hit", [10.0], unit="ns", baseline=[0.0])

    assert (made.baseline, made.ratio) == (0.0, None)


@pytest.mark.parametrize(
    ("median", "limit", "is_rate", "status"),
    [
        (9.0, 10.0, False, "ok"),
        (10.0, 10.0, False, "ok"),
        (10.01, 10.0, False, "missed"),
        (0.01, 0.0, False, "missed"),
        (11.0, 10.0, True, "ok"),
        (10.0, 10.0, True, "ok"),
        (9.99, 10.0, True, "missed"),
        (9.0, None, False, "printed"),
        (9.0, None, True, "printed"),
    ],
)
def test_a_limit_is_the_most_and_of_a_rate_the_least(
    median: float, limit: float | None, *, is_rate: bool, status: Status
) -> None:
    made = figure("any", [median], unit="any", limit=limit, is_rate=is_rate)

    assert (made.status, made.limit) == (status, limit)


def test_the_limit_is_for_the_median_not_for_each_run() -> None:
    made = figure("hit", [9.0, 9.0, 90.0], unit="ns", limit=10.0)

    assert made.status == "ok"


@pytest.mark.parametrize("limit", [None, 5.0, 15.0])
def test_what_is_invalid_is_never_good_and_says_why(limit: float | None) -> None:
    made = figure("hit", [10.0], unit="ns", limit=limit, invalid="starved", note="as always")

    assert (made.status, made.note, made.measured) == ("invalid", "starved", 10.0)


@pytest.mark.parametrize(("invalid", "note"), [("", "no run gave a value"), ("starved", "starved")])
def test_no_run_at_all_is_invalid(invalid: str, note: str) -> None:
    made = figure("hit", [], unit="ns", limit=10.0, baseline=[5.0], invalid=invalid)

    assert (made.status, made.note, made.runs) == ("invalid", note, 0)


def test_the_machine_is_described() -> None:
    seen = machine()

    assert set(seen) == {"processor", "cores", "kernel", "architecture", "python"}
    assert all(seen.values())


def test_a_report_carries_its_schema_and_comes_back_as_it_went() -> None:
    report = Report(
        machine={"cores": 2}, repeat="ei bench", figures=(figure("hit", [1.0], unit="ns"),)
    )

    written = msgspec.json.encode(report)

    assert msgspec.json.decode(written)["schema"] == "ei.bench/1"
    assert msgspec.json.decode(written, type=Report) == report
