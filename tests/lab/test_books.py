"""Books under random work and faults: how they are judged, and that they balance."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from ei.lab.accounts import Books
from ei.lab.books import FAULTS, Course, judge, keep_books
from ei.lab.catalogue import find_topology

SHORT_S = 12.0
BOOKS = Books(
    received=10, forwarded=4, delivered=1, consumed=1, missed=2, answered=1, passed=0, waiting=0,
    copies=4, sent=4, copies_ended=0, copies_waiting=0, dropped={"metered": 2},
    missed_dropped={"no_answer": 1}, copies_dropped={},
)  # fmt: skip


def course(**changes: object) -> Course:
    seen = Course(readings=9, packets=5_000, drops=Counter(a=1, b=1, c=1, d=1))
    return replace(seen, **changes)


def statuses(seen: Course) -> list[str]:
    return [row.status for row in judge(seen, seconds=10)]


def test_books_that_balance_keep_all_promises() -> None:
    assert BOOKS.imbalance == 0
    assert set(statuses(course())) == {"ok"}


def test_one_reading_that_does_not_balance_is_a_broken_promise() -> None:
    wrong = msgspec.structs.replace(BOOKS, answered=2)

    assert wrong.imbalance == 1
    assert statuses(course(wrong=[("n", wrong)])) == ["ok", "ok", "broken", "ok"]


def test_without_load_or_variety_nothing_is_shown() -> None:
    assert statuses(course(packets=10))[2] == "invalid"
    assert statuses(course(drops=Counter(a=100)))[2] == "invalid"


def test_what_a_node_counted_in_its_life_before_stays_counted() -> None:
    seen = Course()
    more = msgspec.structs.replace(BOOKS, received=13, forwarded=6, dropped={"metered": 3})

    seen.note("n", None, BOOKS)
    seen.note("n", BOOKS, more)
    seen.note("n", None, BOOKS)

    assert (seen.readings, seen.packets, seen.wrong) == (3, 23, [])
    assert seen.drops == Counter(metered=5, no_answer=2)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_b12_the_books_of_real_nodes_balance_under_random_work_and_faults(
    environ: Mapping[str, str],
) -> None:
    found = asyncio.run(
        keep_books(find_topology("threedomains"), seconds=SHORT_S, seed=1, environ=environ)
    )

    assert found.wrong == []
    assert found.readings > SHORT_S
    assert found.acts.keys() & FAULTS.keys()
    assert [row for row in judge(found, seconds=SHORT_S) if row.status == "broken"] == []
