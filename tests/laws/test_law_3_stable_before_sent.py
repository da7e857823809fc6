"""Law 3. Stable before sent: stable writes are on disk before any packet of the same event leaves.

What a killed process has acknowledged is there: tests/runtime/stores/test_sqlite.py and
tests/runtime/test_worker.py kill real ones, and tests/cluster/ is about copies on several members.
Here is the order, and what a full disk does.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ei.cluster.writes import Rows, Writes
from ei.errors import LimitError
from ei.runtime.batches import EffectBatch, EventBatch, Outcome
from ei.runtime.environment import Environment
from ei.runtime.stores import MemoryStore, RefusedError, ReplicatedStore
from ei.sdk import (
    Address,
    Context,
    Effect,
    PacketArrived,
    SendPacket,
    StreamData,
    StreamEvent,
    WriteStream,
)
from ei.testing.toys import toy, toy_manifest, toy_packet

NODE = Address(b"n" * 16)


def acknowledges(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
    """Keep the payload and say so."""
    ctx.stable.put(event.packet.payload, b"")
    yield SendPacket(event.packet, event.packet.source)


class Disk(MemoryStore):
    """A store whose keys are safe once `commit` has returned."""

    def __init__(self, *, is_full: bool = False) -> None:
        super().__init__(limit_bytes=10_000)
        self.safe: set[bytes] = set()
        self._is_full = is_full

    def commit(self) -> None:
        if self._is_full:
            raise LimitError("the disk is full")
        self.safe = {key for key, _ in self.scan(b"")}


def sent(environment: Environment, *payloads: bytes) -> list[bytes]:
    """Hand over a batch; return the payloads of what may leave now."""
    items = tuple(toy_packet(payload=payload) for payload in payloads)
    batch = msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, items))
    reply = msgspec.msgpack.decode(environment.deliver_batch(batch), type=EffectBatch)
    return [
        msgspec.convert(effect, SendPacket).packet.payload
        for answer in reply.answers
        for effect in answer.effects
    ]


def check_law_3(environment: Environment, disk: Disk) -> None:
    """Whatever leaves is safe when it leaves."""
    for payload in sent(environment, b"one", b"two"):
        assert payload in disk.safe, "law 3: acknowledged before it was safe"


def test_what_is_acknowledged_is_safe() -> None:
    disk = Disk()

    check_law_3(Environment(toy(on_packet=acknowledges), node=NODE, seed=b"1", stable=disk), disk)

    assert disk.safe == {b"one", b"two"}


def test_what_cannot_be_made_safe_is_not_acknowledged() -> None:
    disk = Disk(is_full=True)
    environment = Environment(toy(on_packet=acknowledges), node=NODE, seed=b"1", stable=disk)

    check_law_3(environment, disk)
    items = (toy_packet(payload=b"one"),)
    batch = msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, items))
    reply = msgspec.msgpack.decode(environment.deliver_batch(batch), type=EffectBatch)

    assert [(answer.outcome, answer.reason) for answer in reply.answers] == [
        (Outcome.DROPPED, "store_failed")
    ]


def test_what_cannot_be_made_safe_is_not_acknowledged_on_a_stream_either() -> None:
    def acknowledges_bytes(event: StreamEvent, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.stable.put(b"kept", b"")
        yield WriteStream(event.stream, b"kept")

    loaded = toy(manifest=toy_manifest(capabilities=("streams",)), on_stream=acknowledges_bytes)
    environment = Environment(loaded, node=NODE, seed=b"1", stable=Disk(is_full=True))
    batch = EventBatch(1, 0, 1.0, 1e9, (StreamData(2, b"keep", is_end=False),))

    reply = environment.deliver_batch(msgspec.msgpack.encode(batch), origin=1)

    said = msgspec.msgpack.decode(reply, type=EffectBatch)
    assert [list(answer.effects) for answer in said.answers] == [[[15, 2]]], "closed, no more"
    assert not environment.take_strays()


class TooFew:
    """The replica of a member that cannot reach the others."""

    def commit(self, writes: Writes) -> None:
        raise RefusedError("nobody answers", word="too_few_copies")

    def confirm(self) -> None:
        raise RefusedError("nobody answers", word="too_few_copies")


def test_what_has_too_few_copies_is_not_acknowledged_and_nothing_of_it_stays() -> None:
    store = ReplicatedStore(Rows(), TooFew(), limit_bytes=10_000)
    environment = Environment(toy(on_packet=acknowledges), node=NODE, seed=b"1", stable=store)

    items = (toy_packet(payload=b"one"),)
    batch = msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, items))
    reply = msgspec.msgpack.decode(environment.deliver_batch(batch), type=EffectBatch)

    assert [(answer.outcome, answer.reason, answer.effects) for answer in reply.answers] == [
        (Outcome.DROPPED, "too_few_copies", ())
    ]
    assert store.get(b"one") is None


class Hasty(Environment):
    """Planted: replies first, and commits when it finds the time."""

    def _commit(self) -> str:
        return ""


def test_an_environment_that_replies_first_is_caught() -> None:
    disk = Disk()

    with pytest.raises(AssertionError, match="law 3: acknowledged before it was safe"):
        check_law_3(Hasty(toy(on_packet=acknowledges), node=NODE, seed=b"1", stable=disk), disk)
