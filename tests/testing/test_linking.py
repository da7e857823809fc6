"""A link that is there is found, however it hides; where there is none, none is."""

from random import Random

import pytest

from ei.testing.linking import CERTAIN, strongest_link

ROWS = 2_000


def drawn(random: Random, bits: int = 64) -> list[int]:
    """Return random numbers."""
    return [random.getrandbits(bits) for _ in range(ROWS)]


@pytest.mark.parametrize("seed", range(20))
def test_columns_without_a_connection_are_not_linked(seed: int) -> None:
    random = Random(seed)
    order = list(range(ROWS))

    link = strongest_link({"order": order, "a": drawn(random)}, {"b": drawn(random, 1), "c": order})
    free = strongest_link({"a": drawn(random)}, {"b": drawn(random, 1), "c": drawn(random, 100)})

    assert link[:2] == ("order", "c")
    assert link.deviation > CERTAIN
    assert free.deviation < CERTAIN


def test_numbers_that_grow_together_are_linked_by_their_ranks() -> None:
    random = Random(1)
    hidden = drawn(random)

    link = strongest_link(
        {"a": [number // 3 + random.getrandbits(63) for number in hidden]}, {"b": hidden}
    )

    assert link.test == "ranks"
    assert link.deviation > CERTAIN


def test_numbers_that_fall_as_others_grow_are_linked() -> None:
    hidden = drawn(Random(1))

    link = strongest_link({"a": [2**64 - number for number in hidden]}, {"b": hidden})

    assert link.deviation > CERTAIN


def test_one_low_bit_that_both_have_is_found_among_many() -> None:
    random = Random(1)
    seen = drawn(random, 256)
    shown = [a & 0xFF | b & ~0xFF for a, b in zip(seen, drawn(random, 256), strict=True)]

    link = strongest_link({"a": seen}, {"b": shown})

    assert (link.test, link.deviation > CERTAIN) == ("bits", True)


def test_a_bit_that_is_right_a_little_more_often_than_not_is_found() -> None:
    random = Random(1)
    bits = drawn(random, 1)

    link = strongest_link({"a": bits}, {"b": [bit ^ (random.random() < 0.4) for bit in bits]})

    assert link.deviation > CERTAIN


def test_columns_of_one_number_tell_nothing() -> None:
    assert strongest_link({"a": [7] * ROWS}, {"b": [9] * ROWS}).deviation == 0.0
