"""Keys in order, however many come and go."""

import random

from hypothesis import given
from hypothesis import strategies as st

from ei.runtime.stores.key_order import MAX_RUN, KeyOrder

KEYS = st.binary(max_size=3)


@given(st.lists(KEYS), KEYS, st.none() | KEYS)
def test_keys_between_two_are_those_of_a_sorted_list(
    steps: list[bytes], first: bytes, end: bytes | None
) -> None:
    order, kept = KeyOrder(), set[bytes]()

    for key in steps:
        if key in kept:
            kept.remove(key)
            order.remove(key)
        else:
            kept.add(key)
            order.add(key)

    expected = sorted(key for key in kept if first <= key and (end is None or key < end))
    assert order.between(first, end) == expected


def test_runs_stay_short_and_end_with_their_keys() -> None:
    chance = random.Random(1)
    keys = [number.to_bytes(4, "big") for number in range(20 * MAX_RUN)]
    order = KeyOrder()

    for key in chance.sample(keys, len(keys)):
        order.add(key)

    assert order.between(b"", None) == keys
    assert order.between(keys[700], keys[5_000]) == keys[700:5_000]
    assert "of 1 runs" not in repr(order)
    for key in chance.sample(keys, len(keys)):
        order.remove(key)
    assert repr(order) == "<KeyOrder of 1 runs>"
    assert order.between(b"", None) == []
