"""The bytes between the datapath and a worker, pinned: native code has the same ones."""

import msgspec
import pytest

from ei.runtime.batches import (
    Answer,
    ControlReceived,
    EffectBatch,
    EventBatch,
    Item,
    Outcome,
    PeersMeasured,
    QueryResolved,
    ResolveBytes,
    SendControlBytes,
)
from ei.sdk import Address, NotKept, PeerChanged, Started, TallyRead

A = Address(b"a" * 16)
A_HEX = "c410" + "61" * 16

ITEMS: list[tuple[Item, str]] = [
    (ControlReceived(A, b"m"), f"9301{A_HEX}c4016d"),
    (PeerChanged(A, is_up=False), f"9303{A_HEX}c2"),
    (QueryResolved(b"q", None), "9304c40171c0"),
    (QueryResolved(b"q", b"r"), "9304c40171c40172"),
    (TallyRead(b"t", 1, 2), "9405c401740102"),
    (NotKept(b"k", (bytes(8),), A), f"941ec4016b91c408{bytes(8).hex()}c410{A.hex()}"),
    (Started(), "9106"),
    (PeersMeasured({A: 0.5}), f"920781{A_HEX}cb3fe0000000000000"),
]


@pytest.mark.parametrize(("item", "golden"), ITEMS)
def test_an_item_is_an_array_that_starts_with_its_tag(item: Item, golden: str) -> None:
    assert msgspec.msgpack.encode(item).hex() == golden
    assert msgspec.msgpack.decode(bytes.fromhex(golden), type=Item) == item


def test_a_batch_of_events_is_an_array() -> None:
    batch = EventBatch(1, 2, 3.0, 4.0, (Started(),))

    assert msgspec.msgpack.encode(batch).hex() == (
        "950102cb4008000000000000cb4010000000000000919106"
    )


def test_a_batch_of_effects_is_an_array() -> None:
    effects = (SendControlBytes(b"m", A), ResolveBytes(b"q"))
    batch = EffectBatch(1, 2, (Answer(Outcome.DROPPED, "no", effects),))

    assert msgspec.msgpack.encode(batch).hex() == (
        f"930102919304a26e6f929306c4016d{A_HEX}9209c40171"
    )


def test_outcomes_have_the_numbers_that_native_code_knows() -> None:
    assert [outcome.value for outcome in Outcome] == [0, 1, 2, 3, 4]
