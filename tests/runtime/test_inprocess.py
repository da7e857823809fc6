from collections.abc import Iterator
from typing import Any

import pytest

from ei.errors import ConfigError, NotFoundError
from ei.runtime.inprocess import InProcess
from ei.runtime.loader import LoadedService
from ei.runtime.stores import MemoryStore
from ei.sdk import (
    Address,
    AtNode,
    Context,
    Count,
    DropPacket,
    Effect,
    OpenStream,
    PacketArrived,
    RevokeDecisions,
    SetTimer,
    Started,
    StreamClosed,
    StreamEvent,
    TimerFired,
)
from ei.testing.fakes import FakeDatapath
from ei.testing.toys import TOY_NUMBER, toy, toy_manifest, toy_packet

NODE = Address(b"n" * 16)
SECOND_NS = 1_000_000_000


class Rig:
    """Services in one process, on a datapath that keeps the books."""

    def __init__(self, loaded: LoadedService, *, stable: MemoryStore | None = None) -> None:
        self.services = InProcess(NODE, seed=b"1")
        self.services.add(loaded, stable=stable)
        self.datapath = FakeDatapath()
        self.datapath.add_service(TOY_NUMBER)
        self.now_ns = 100 * SECOND_NS

    def put(self, *events: PacketArrived) -> None:
        for event in events:
            self.datapath.put_event(TOY_NUMBER, event)

    def pump(self) -> int:
        return self.services.pump(self.datapath, self.now_ns, 1e9)

    @property
    def fates(self) -> dict[str, int]:
        return self.datapath.fates[TOY_NUMBER]


def test_pumping_handles_all_that_waits() -> None:
    rig = Rig(toy())
    rig.put(*[toy_packet()] * 100)

    assert rig.pump() == 2  # batches of 64

    assert rig.fates == {"waiting": 0, "unwanted": 100}
    assert rig.pump() == 0


def test_timers_fire_when_they_are_due() -> None:
    def on_start(_event: Started, _ctx: Context[Any]) -> Iterator[Effect]:
        yield SetTimer(b"again", 1.0)

    def on_timer(_event: TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
        yield Count("seen")
        yield SetTimer(b"again", 1.0)

    rig = Rig(toy(on_start=on_start, on_timer=on_timer))
    assert rig.services.next_deadline_ns() == 0
    _ = rig.pump()

    for _ in range(3):
        deadline_ns = rig.services.next_deadline_ns()
        assert deadline_ns == rig.now_ns + SECOND_NS
        rig.now_ns = deadline_ns
        _ = rig.pump()

    assert sum(len(answer.effects) for answer in rig.datapath.answers[TOY_NUMBER]) == 3


def test_a_timer_that_says_nothing_fires_all_the_same() -> None:
    def on_start(_event: Started, _ctx: Context[Any]) -> Iterator[Effect]:
        yield SetTimer(b"once", 1.0)

    rig = Rig(toy(on_start=on_start))
    _ = rig.pump()
    rig.now_ns += SECOND_NS

    assert rig.pump() == 1
    assert rig.services.next_deadline_ns() is None


def test_a_service_that_would_end_its_process_ends_its_environment() -> None:
    def on_packet(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        if event.packet.payload == b"end":
            raise SystemExit
        ctx.ephemeral.put(b"k", b"v")
        ctx.stable.put(b"k", b"v")
        yield Count("seen", len(list(ctx.ephemeral.scan(b""))))
        yield DropPacket("unwanted")

    stable = MemoryStore(limit_bytes=1_000)
    rig = Rig(toy(on_packet=on_packet), stable=stable)
    rig.put(toy_packet())
    _ = rig.pump()
    rig.put(toy_packet(), toy_packet(payload=b"end"))

    _ = rig.pump()

    assert rig.fates == {"waiting": 0, "unwanted": 1, "worker_lost": 2}
    assert dict(stable.scan(b"")) == {b"k": b"v"}
    assert rig.services.statistics() == {}
    assert rig.services.next_deadline_ns() == rig.now_ns + SECOND_NS // 20


def test_a_service_is_started_again_after_its_back_off() -> None:
    started: list[float] = []

    def on_start(_event: Started, ctx: Context[Any]) -> Iterator[Effect]:
        started.append(ctx.random.random())
        return iter(())

    rig = Rig(toy(on_start=on_start))
    _ = rig.pump()
    rig.services.kill(rig.datapath, rig.now_ns, TOY_NUMBER)
    rig.put(toy_packet())
    assert rig.pump() == 0

    rig.now_ns += SECOND_NS // 20
    assert rig.pump() == 1

    assert rig.fates == {"waiting": 0, "worker_lost": 0, "unwanted": 1}
    assert len(set(started)) == 2  # another instance draws otherwise


def test_a_timer_that_ends_its_process_does_so_too() -> None:
    def on_start(_event: Started, _ctx: Context[Any]) -> Iterator[Effect]:
        yield SetTimer(b"end", 1.0)

    def on_timer(_event: TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
        raise SystemExit

    rig = Rig(toy(on_start=on_start, on_timer=on_timer))
    _ = rig.pump()
    rig.now_ns += SECOND_NS

    assert rig.pump() == 0
    assert rig.services.statistics() == {}


def test_a_reply_that_the_datapath_does_not_understand_ends_the_environment() -> None:
    class Picky(FakeDatapath):
        def put_effects(self, now_ns: int, service: int, batch: bytes) -> None:
            raise ValueError("not an EffectBatch")

    rig = Rig(toy())
    rig.datapath = Picky()
    rig.datapath.add_service(TOY_NUMBER)
    rig.put(toy_packet())

    _ = rig.pump()

    assert rig.fates == {"waiting": 0, "worker_lost": 1}


def test_revocations_reach_the_datapath() -> None:
    rig = Rig(toy(on_start=lambda _event, _ctx: [RevokeDecisions(b"t")]))
    _ = rig.pump()

    assert rig.datapath.epochs == {TOY_NUMBER: 1}


def test_a_service_that_was_removed_does_not_run() -> None:
    rig = Rig(toy())
    rig.services.remove(TOY_NUMBER)
    rig.services.remove(TOY_NUMBER)

    with pytest.raises(NotFoundError, match="has events, but does not run here"):
        _ = rig.pump()
    with pytest.raises(NotFoundError, match="does not run here"):
        rig.services.kill(rig.datapath, 0, TOY_NUMBER)
    assert rig.services.next_deadline_ns() is None


def test_a_configuration_that_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(ConfigError):
        InProcess(NODE, seed=b"1").add(toy(), config={"ttl_s": 1.0})


def test_it_says_what_runs() -> None:
    rig = Rig(toy())
    rig.put(toy_packet())
    _ = rig.pump()

    assert repr(rig.services) == "<InProcess ['toy']>"
    assert rig.services.statistics()[TOY_NUMBER].events == 2


@pytest.mark.parametrize("opens_in", ["on_start", "on_timer"])
def test_where_there_are_no_streams_whatever_is_opened_is_unreachable(opens_in: str) -> None:
    seen: list[StreamEvent] = []

    def opens(_event: Started | TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
        yield OpenStream(1, AtNode(NODE))

    def arms(_event: Started, _ctx: Context[Any]) -> Iterator[Effect]:
        yield SetTimer(b"open", 1.0)

    def on_stream(event: StreamEvent, _ctx: Context[Any]) -> Iterator[Effect]:
        seen.append(event)
        yield Count("seen")

    handlers = {"on_start": arms, "on_stream": on_stream, opens_in: opens}
    loaded = toy(manifest=toy_manifest(capabilities=("streams",)), **handlers)  # type: ignore[arg-type]
    rig = Rig(loaded)
    _ = rig.pump()

    while not seen and (deadline_ns := rig.services.next_deadline_ns()) is not None:
        rig.now_ns = deadline_ns
        _ = rig.pump()

    assert seen == [StreamClosed(1, "unreachable", 0, 0)]
    assert any(answer.effects for answer in rig.datapath.answers[TOY_NUMBER])
