"""Runs of many seeds as one document."""

import json

from ei.lab.promises import Promise, Report, promise
from ei.lab.repeated import merge


def run(seed: int, *promises: Promise) -> Report:
    return Report(
        scenario="x", backend="simulation", seed=seed, digest="ab" * 32, promises=promises
    )


def test_the_worst_of_each_promise_is_found_whichever_way_its_limit_points() -> None:
    runs = [
        run(7, promise("gap", 210.0, "<=", 500.0), promise("rate", 90, ">=", 50)),
        run(8, promise("gap", 310.0, "<=", 500.0), promise("rate", 95, ">=", 50)),
        run(9, promise("gap", 110.0, "<=", 500.0), promise("rate", 60, ">=", 50)),
    ]

    merged = merge(runs)

    assert [(each.name, each.measured, each.seed) for each in merged.promises] == [
        ("gap", 310.0, 8),
        ("rate", 60, 9),
    ]
    assert (merged.seed, merged.repeat, merged.is_ok) == (7, 3, True)


def test_one_that_is_broken_is_worse_than_any_figure() -> None:
    words = [promise("digest", word, "==", "ab") for word in ("ab", "cd", "ab")]
    counts = [promise("lost", count, "==", 0) for count in (0, 2, 9)]

    merged = merge(run(n, *both) for n, both in enumerate(zip(words, counts, strict=True)))

    assert [(each.measured, each.status, each.seed) for each in merged.promises] == [
        ("cd", "broken", 1),
        (9, "broken", 2),
    ]
    assert not merged.is_ok


def test_a_promise_that_only_one_run_made_is_told() -> None:
    merged = merge([run(1, promise("a", 1, "==", 1)), run(2, promise("b", 1, "==", 2))])

    assert [(each.name, each.status) for each in merged.promises] == [("a", "ok"), ("b", "broken")]


def test_a_run_without_promises_is_not_ok() -> None:
    assert not merge([run(1, promise("a", 1, "==", 1)), run(2)]).is_ok


def test_the_document_has_the_worst_and_every_run() -> None:
    document = json.loads(merge([run(7, promise("gap", 2.0, "<=", 5.0))]).json())

    assert document["schema"] == "ei.promises/1"
    assert document["repeat"] == 1
    assert document["promises"][0]["seed"] == 7
    assert [each["seed"] for each in document["runs"]] == [7]
