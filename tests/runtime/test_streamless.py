"""Where there are no streams."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ei.runtime.batches import MAX_BATCH_ITEMS, EventBatch
from ei.runtime.environment import Environment
from ei.runtime.streamless import AFTER_S, Streamless
from ei.sdk import (
    Address,
    AtNode,
    CloseStream,
    Context,
    DropPacket,
    Effect,
    OpenStream,
    PacketArrived,
    StreamClosed,
)
from ei.testing.toys import toy, toy_manifest, toy_packet

NODE = Address(b"n" * 16)


def asked(*effects: Effect) -> bytes:
    """Return the batch in which a service asks for this."""

    def on_packet(_event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        yield from effects
        yield DropPacket("unwanted")

    loaded = toy(manifest=toy_manifest(capabilities=("streams",)), on_packet=on_packet)
    environment = Environment(loaded, node=NODE, seed=b"1")
    batch = EventBatch(1, 0, 1.0, 1e9, (toy_packet(),))
    _ = environment.deliver_batch(msgspec.msgpack.encode(batch))
    ((_, stray),) = environment.take_strays()
    return stray


def told(streams: Streamless, now_s: float) -> list[object]:
    batch = streams.take_events(now_s, 1e9)
    return [] if batch is None else list(msgspec.msgpack.decode(batch, type=EventBatch).items)


def test_whatever_is_opened_is_unreachable_a_moment_later() -> None:
    streams = Streamless()
    assert streams.next_deadline_s() is None

    streams.put_effects(10.0, asked(OpenStream(1, AtNode(NODE)), CloseStream(4)))

    assert streams.next_deadline_s() == 10.0 + AFTER_S
    assert told(streams, 10.0) == []
    assert told(streams, 10.0 + AFTER_S) == [StreamClosed(1, "unreachable", 0, 0)]
    assert streams.next_deadline_s() is None


def test_a_batch_holds_no_more_than_any_other() -> None:
    streams = Streamless()
    streams.put_effects(10.0, asked(*[OpenStream(2 * n + 1, AtNode(NODE)) for n in range(100)]))

    first, second = told(streams, 11.0), told(streams, 11.0)

    assert len(first) == MAX_BATCH_ITEMS
    assert len(second) == 100 - MAX_BATCH_ITEMS
