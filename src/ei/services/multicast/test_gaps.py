"""Which packets a receiver asks for, and when it gives them up."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from ei.services.multicast.gaps import (
    AGAIN_S,
    MAX_MISSING,
    PATIENCE_S,
    REORDER_S,
    WINDOW,
    Gaps,
    in_groups,
    name_of,
    number_of,
)


def test_a_gap_is_asked_for_after_a_moment_and_again_until_it_is_filled() -> None:
    gaps = Gaps(first=5)
    assert gaps.take(5, 0.0)
    assert gaps.take(8, 0.0)

    assert gaps.due(0.0, 10) == []
    assert gaps.due(REORDER_S, 10) == [6, 7]
    assert gaps.due(REORDER_S, 10) == []
    assert gaps.take(6, 0.1)
    assert gaps.due(REORDER_S + AGAIN_S, 10) == [7]
    assert (gaps.repaired, gaps.missing, gaps.lost) == (1, 1, 0)


def test_what_does_not_come_is_given_up() -> None:
    gaps = Gaps(first=0)
    _ = gaps.take(1, 0.0)

    assert gaps.due(PATIENCE_S, 10) == []

    assert (gaps.lost, gaps.missing) == (1, 0)
    assert not gaps.take(0, PATIENCE_S)


def test_who_is_told_how_far_the_numbers_are_misses_the_last() -> None:
    gaps = Gaps(first=0)
    _ = gaps.take(0, 0.0)

    gaps.tell(3, 0.0)
    gaps.tell(2, 0.0)

    assert gaps.due(REORDER_S, 10) == [1, 2]
    assert gaps.take(3, 0.1)


def test_only_so_many_are_asked_for_at_once() -> None:
    gaps = Gaps(first=0)
    _ = gaps.take(10, 0.0)

    assert gaps.due(1.0, 4) == [0, 1, 2, 3]
    assert gaps.due(1.0, 4) == [4, 5, 6, 7]


def test_a_gap_is_remembered_up_to_a_bound() -> None:
    gaps = Gaps(first=0)

    assert gaps.take(MAX_MISSING + 10, 0.0)
    assert (gaps.missing, gaps.lost) == (MAX_MISSING, 10)
    assert gaps.take(MAX_MISSING + 12, 0.0)

    assert (gaps.missing, gaps.lost) == (MAX_MISSING, 11)


def test_who_does_not_give_up_asks_for_the_oldest_first_however_many_are_missing() -> None:
    gaps = Gaps(first=0, patience_s=inf)
    _ = gaps.take(3_000_000, 0.0)
    assert gaps.take(2_000_000, 0.0)
    asked: list[int] = []

    for turn in range(4):
        due = gaps.due(1.0 + turn / 100, WINDOW)
        asked += due
        assert all(gaps.take(number, 1.0) for number in due)

    assert asked == list(range(4 * WINDOW))
    assert gaps.due(1e6, 1) == [4 * WINDOW]
    assert (gaps.missing, gaps.lost) == (3_000_000 - 1 - 4 * WINDOW, 0)


@given(numbers=st.lists(st.integers(0, 200), max_size=300))
def test_each_number_is_new_once(numbers: list[int]) -> None:
    gaps = Gaps(first=0)

    new = [number for number in numbers if gaps.take(number, 0.0)]

    assert len(new) == len(set(new)) == len(set(numbers))
    assert gaps.missing == (max(numbers) + 1 if numbers else 0) - len(new)
    assert gaps.duplicates == len(numbers) - len(new)


def test_a_payload_starts_with_its_number() -> None:
    assert number_of(name_of(2**64 - 1) + b"more") == 2**64 - 1
    assert number_of(bytes(7)) is None
    assert list(in_groups([1, 2, 3], 2)) == [(name_of(1), name_of(2)), (name_of(3),)]
