"""What the report of a scenario promises."""

import json
from typing import cast

import pytest

from ei.errors import DeadlineError, LocalError
from ei.lab.promises import (
    HEADER,
    Promise,
    Report,
    ended_by,
    plainly,
    promise,
    rows,
    shown,
    unsupported,
)


def report(*promises: Promise) -> Report:
    return Report(
        scenario="core", backend="simulation", seed=7, digest="ab" * 32, promises=promises
    )


def test_the_json_has_exactly_the_fields_of_its_schema() -> None:
    kept = promise("pings answered", 10, "==", 10, unit="pings", baseline=9)

    document = json.loads(report(kept).json())

    assert document == {
        "schema": "ei.promises/1",
        "scenario": "core",
        "backend": "simulation",
        "seed": 7,
        "digest": "ab" * 32,
        "promises": [
            {
                "name": "pings answered",
                "measured": 10,
                "unit": "pings",
                "limit": {"op": "==", "value": 10},
                "baseline": 9,
                "status": "ok",
                "note": "",
            }
        ],
    }


@pytest.mark.parametrize(
    ("kept", "status"),
    [
        (promise("p", 1.0, "<=", 2.0), "ok"),
        (promise("p", 2.5, "<=", 2.0), "broken"),
        (promise("p", 2.5, ">=", 2.0), "ok"),
        (promise("p", "abc", "==", "abc"), "ok"),
        (promise("p", "abc", "==", "abd"), "broken"),
        (promise("p", "abc", ">=", "abc"), "broken"),
        (promise("p", None, "<=", 2.0), "broken"),
        (promise("p", measured=True, op="==", limit=True), "ok"),
        (promise("p", 1.0, "<=", 2.0, is_valid=False), "invalid"),
        (unsupported("p", "<=", 2.0), "unsupported"),
    ],
)
def test_a_status_follows_from_measure_and_limit(kept: Promise, status: str) -> None:
    assert kept.status == status


def test_a_promise_of_what_no_table_can_show_is_refused_by_its_name() -> None:
    counts = cast("int", [1, 2])

    with pytest.raises(LocalError, match=r"visits: \[1, 2\] measured; .* are allowed"):
        _ = promise("visits", counts, "==", 2)
    with pytest.raises(LocalError, match=r"visits: \[1, 2\] promised; .* are allowed"):
        _ = promise("visits", 2, "==", counts)


def test_only_a_run_whose_promises_are_all_kept_exits_with_0() -> None:
    kept = promise("p", 1, "==", 1)

    assert report(kept, kept).exit_code == 0
    assert report(kept, promise("p", 1, "==", 2)).exit_code == 1
    assert report(kept, unsupported("p", "==", 2)).exit_code == 1
    assert report().exit_code == 1


def test_a_table_shows_each_promise_in_one_row() -> None:
    table = rows(
        [promise("file arrived", "f" * 64, "==", "f" * 64), promise("p", 0.12345, "<=", 1)]
    )

    assert [len(row) for row in table] == [len(HEADER)] * 2
    assert table[0][1] == "f" * 8 + "..."
    assert table[1][1:4] == ("0.1235", "<= 1", "")


def test_figures_are_shown_for_readers() -> None:
    assert [shown(figure) for figure in (None, True, 7, 1_000_000, 3.0)] == [
        "-",
        "yes",
        "7",
        "1_000_000",
        "3",
    ]
    assert shown("NotFoundError: no node is called 'x'") == "NotFoundError: no node is called 'x'"


def test_an_error_of_ours_is_a_broken_promise_and_any_other_is_raised() -> None:
    group = ExceptionGroup("several", [ExceptionGroup("inner", [DeadlineError("nobody came")])])

    assert ended_by(group, "the demo").measured == "DeadlineError: nobody came"
    assert ended_by(DeadlineError("nobody came"), "the demo").status == "broken"
    with pytest.raises(ExceptionGroup):
        ended_by(ExceptionGroup("several", [ValueError("a mistake")]), "the demo")


def test_in_plain_lines_each_promise_has_its_figure_its_limit_and_its_unit() -> None:
    kept = promise("pings answered", 10, "==", 10, unit="pings")
    broken = promise("lost", 1, "==", 0)

    assert plainly([kept, broken]) == (
        "ok       pings answered: 10 == 10 pings\nbroken   lost: 1 == 0\n"
    )
