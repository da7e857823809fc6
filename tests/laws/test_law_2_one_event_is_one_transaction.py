"""Law 2. One event is one transaction: effects and writes happen together or not at all."""

from collections.abc import Iterator
from typing import Any

import pytest

from ei.errors import ServiceError
from ei.runtime.environment import Environment
from ei.runtime.stores import MemoryStore
from ei.runtime.undo import UndoLog
from ei.sdk import (
    Address,
    AttachmentOf,
    Context,
    DropPacket,
    Effect,
    HoldPacket,
    PacketArrived,
    SetTimer,
)
from ei.testing.toys import toy, toy_packet

NODE = Address(b"n" * 16)
STEPS = 7


def does_much(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
    """Write, arm and ask; raise before the step that the payload names."""
    steps = (
        lambda: ctx.stable.put(b"kept", b"new"),
        lambda: ctx.stable.delete(b"gone"),
        lambda: ctx.ephemeral.put(b"new", b"", ttl_s=9.0),
        lambda: SetTimer(b"kept", 9.0),
        lambda: SetTimer(b"new", 9.0),
        lambda: HoldPacket(AttachmentOf(NODE)),
    )
    for number, step in enumerate(steps):
        if event.packet.payload == b"%d" % number:
            raise ValueError("planted")
        effect = step()
        if effect is not None:
            yield effect
    if event.packet.payload == b"%d" % len(steps):
        raise ValueError("planted")


def prepares(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
    """Be there before; see what there is."""
    if event.packet.metadata == b"before":
        ctx.stable.put(b"kept", b"old")
        ctx.stable.put(b"gone", b"old")
        yield SetTimer(b"kept", 5.0)
        yield DropPacket("unwanted")
    else:
        yield from does_much(event, ctx)


def state(environment: Environment, stable: MemoryStore) -> object:
    statistics = environment.statistics()
    return (
        dict(stable.scan(b"")),
        statistics.stable,
        statistics.ephemeral,
        statistics.timers,
        statistics.held,
        environment.next_deadline_s(),
    )


def check_law_2(stable: MemoryStore, step: int) -> None:
    """An event that raises before a step leaves everything as it was."""
    environment = Environment(toy(on_packet=prepares), node=NODE, seed=b"1", stable=stable)
    _ = environment.deliver(toy_packet(metadata=b"before"), now_s=1.0)
    before = state(environment, stable)

    with pytest.raises(ServiceError, match="planted"):
        _ = environment.deliver(toy_packet(payload=b"%d" % step), now_s=2.0)

    assert state(environment, stable) == before, "law 2: an event that raised changed something"


@pytest.mark.parametrize("step", range(STEPS))
def test_an_event_that_raises_anywhere_changes_nothing(step: int) -> None:
    check_law_2(MemoryStore(limit_bytes=1_000), step)


def test_an_event_that_does_not_raise_changes_all_of_it() -> None:
    stable = MemoryStore(limit_bytes=1_000)
    environment = Environment(toy(on_packet=prepares), node=NODE, seed=b"1", stable=stable)
    _ = environment.deliver(toy_packet(metadata=b"before"), now_s=1.0)

    _ = environment.deliver(toy_packet(), now_s=2.0)

    assert dict(stable.scan(b"")) == {b"kept": b"new"}
    assert (environment.statistics().timers, environment.statistics().held) == (2, 1)


class Forgetful(MemoryStore):
    """Planted: a store that does not say how to take a deletion back."""

    def delete(self, key: bytes) -> None:
        now_s, log = 1.0, UndoLog()
        kept = dict(self.scan(b""))
        _ = kept.pop(key, None)
        self.__init__(limit_bytes=1_000)  # type: ignore[misc]
        self.begin(now_s, log)
        for name, value in kept.items():
            self.put(name, value)


def test_a_store_that_cannot_take_a_write_back_is_caught() -> None:
    with pytest.raises(AssertionError, match="law 2: an event that raised changed something"):
        check_law_2(Forgetful(limit_bytes=1_000), STEPS - 1)
