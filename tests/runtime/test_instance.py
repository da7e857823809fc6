from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ei.runtime.admission import Admission
from ei.runtime.batches import EncodedAnswer, Outcome
from ei.runtime.holds import Holds
from ei.runtime.instance import Instance, counted
from ei.runtime.limits import VirtualCost
from ei.runtime.loader import LoadedService
from ei.runtime.open_streams import OpenStreams
from ei.runtime.orders import NO_EFFECTS, NOTHING, Orders
from ei.runtime.randomness import EventRandomness
from ei.runtime.stores import MemoryStore
from ei.runtime.timers import Timers
from ei.runtime.undo import UndoLog
from ei.sdk import (
    Address,
    AttachmentOf,
    CloseStream,
    Context,
    ControlArrived,
    Count,
    DropPacket,
    Effect,
    Event,
    HoldPacket,
    NotKept,
    PacketArrived,
    PeerChanged,
    Resolved,
    SetTimer,
    Started,
    StreamClosed,
    StreamData,
    StreamOpened,
    StreamWritable,
    TallyRead,
    TimerFired,
)
from ei.testing.toys import Handler, toy, toy_manifest, toy_packet

A = Address(b"a" * 16)


class Bench:
    """An instance with its parts in reach."""

    def __init__(self, loaded: LoadedService, *, cost: VirtualCost | None = None) -> None:
        self.undo = UndoLog()
        self.timers, self.holds = Timers(self.undo), Holds(self.undo)
        self.store = MemoryStore(limit_bytes=1_000)
        self.store.begin(0.0, self.undo)
        self.orders = Orders(
            Admission(loaded.manifest, ()), undo=self.undo, timers=self.timers, holds=self.holds
        )
        self.instance = Instance(loaded, undo=self.undo, orders=self.orders, seed=b"1", cost=cost)
        self.context: Context[Any] = Context(
            now_s=0.0,
            unix_s=0.0,
            node=A,
            domain=0,
            peers={},
            records={},
            config=None,
            stable=self.store,
            ephemeral=self.store,
            randomness=EventRandomness(b"1"),
        )

    def run(self, event: Event) -> EncodedAnswer:
        return self.instance.run(event, self.context)


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("on_control", ControlArrived(A, "message")),
        ("on_timer", TimerFired(b"k")),
        ("on_peer", PeerChanged(A, is_up=True)),
        ("on_resolved", Resolved(AttachmentOf(A), None)),
        ("on_tally", TallyRead(b"t", 1, 2)),
        ("on_not_kept", NotKept(b"k", (bytes(8),), A)),
        ("on_stream", StreamOpened(2, A, b"", 9)),
        ("on_stream", StreamData(2, b"", is_end=True)),
        ("on_stream", StreamWritable(2, 9)),
        ("on_stream", StreamClosed(2, "ended", 0, 0)),
        ("on_start", Started()),
    ],
)
def test_every_event_has_its_handler(name: str, event: Event) -> None:
    seen: list[Event] = []

    def handler(event: Event, _ctx: Context[Any]) -> Iterator[Effect]:
        seen.append(event)
        yield Count("seen")

    bench = Bench(toy(**{name: handler}))  # type: ignore[arg-type]

    assert bench.run(event) == counted("seen")
    assert seen == [event]


def test_what_is_not_handled_asks_for_nothing() -> None:
    assert Bench(toy()).run(Started()) == NOTHING


@pytest.mark.parametrize(
    ("event", "closes"),
    [
        (StreamOpened(2, A, b"", 9), 1),
        (StreamData(2, b"lost", is_end=False), 1),
        (StreamWritable(2, 9), 1),
        (StreamClosed(2, "ended", 0, 0), 0),
        (TimerFired(b"k"), 0),
    ],
)
def test_an_event_of_a_stream_that_comes_to_nothing_closes_it(event: Event, closes: int) -> None:
    def fails(_event: Event, _ctx: Context[Any]) -> Iterator[Effect]:
        raise ValueError("planted")

    bench = Bench(toy(on_stream=fails, on_timer=fails))

    assert bench.run(event) == counted("service_error")

    close = EncodedAnswer(Outcome.NONE, "", msgspec.Raw(msgspec.msgpack.encode((CloseStream(2),))))
    assert bench.orders.to_streams == [close] * closes


def test_a_stream_too_many_is_closed_and_makes_room_when_another_is() -> None:
    bench = Bench(toy())
    bench.orders.streams = OpenStreams(bench.undo, limit=1)

    answers = [
        bench.run(event)
        for event in (
            StreamOpened(2, A, b"", 9),
            StreamOpened(4, A, b"", 9),
            StreamClosed(2, "ended", 0, 0),
            StreamOpened(6, A, b"", 9),
        )
    ]

    assert [answer == counted("service_error") for answer in answers] == [False, True, False, False]
    assert len(bench.orders.to_streams) == 1


def test_a_packet_goes_to_its_handler() -> None:
    assert Bench(toy()).run(toy_packet()) == EncodedAnswer(Outcome.DROPPED, "unwanted", NO_EFFECTS)


def writes_then(*effects: Effect, error: BaseException | None = None) -> Handler:
    def handler(_event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.ephemeral.put(b"k", b"v")
        yield SetTimer(b"t", 1.0)
        yield from effects
        if error is not None:
            raise error

    return handler


def test_an_event_that_is_answered_keeps_its_writes() -> None:
    bench = Bench(toy(on_packet=writes_then(DropPacket("unwanted"))))

    _ = bench.run(toy_packet())

    assert bench.store.get(b"k") == b"v"
    assert len(bench.timers) == 1


@pytest.mark.parametrize(
    ("handler", "word"),
    [
        (writes_then(DropPacket("unwanted"), error=ValueError("no")), "service_error"),
        (writes_then(HoldPacket(AttachmentOf(A)), error=MemoryError()), "service_error"),
        (writes_then(DropPacket("bored")), "service_error"),
        (writes_then(*[Count("seen")] * 3_000), "service_error"),
        (writes_then(), "no_answer"),
        (lambda _event, _ctx: None, "service_error"),
        (lambda _event, _ctx: 1 / 0, "service_error"),
    ],
)
def test_an_event_that_fails_changes_nothing(handler: Handler, word: str) -> None:
    bench = Bench(toy(on_packet=handler))

    assert bench.run(toy_packet()) == EncodedAnswer(Outcome.DROPPED, word, NO_EFFECTS)

    assert bench.store.get(b"k") is None
    assert (len(bench.timers), len(bench.holds), len(bench.undo.steps)) == (0, 0, 0)
    assert bench.instance.faults.counts == {word: 1}


def test_an_event_without_a_packet_that_fails_is_counted() -> None:
    bench = Bench(toy(on_start=lambda _event, _ctx: 1 / 0))  # type: ignore[typeddict-item]

    assert bench.run(Started()) == counted("service_error")
    assert str(bench.instance.faults.newest[0]).startswith(
        "service_error: Started: ZeroDivisionError: division by zero"
    )


def test_c4_effects_without_end_are_cut_off() -> None:
    def forever(_event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        while True:
            yield Count("seen")

    assert Bench(toy(on_packet=forever)).run(toy_packet()).reason == "service_error"


def test_c10_a_million_effects_at_once_are_refused_for_the_first_that_is_too_many() -> None:
    bench = Bench(toy(on_packet=lambda _event, _ctx: (Count("seen"),) * 1_000_000))
    bench.instance.trail = []

    assert bench.run(toy_packet()).reason == "service_error"

    assert "more than 2048 effects" in str(bench.instance.faults.newest[0])


def test_a_runaway_is_interrupted_by_the_clock() -> None:
    def runaway(_event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        while True:
            bench.instance.clock.tick()  # as the worker's timer of CPU time does
            yield Count("seen")

    bench = Bench(toy(on_packet=runaway))
    let_go: list[int] = []
    exceeded: list[str] = []
    bench.instance.clock.let_go = lambda: let_go.append(bench.instance.clock.event)
    bench.instance.clock.exceed = exceeded.append

    assert bench.run(toy_packet()) == EncodedAnswer(Outcome.DROPPED, "cpu_exceeded", NO_EFFECTS)
    assert let_go == [0]
    assert exceeded == ["cpu_exceeded: PacketArrived: CpuExceeded"]


def test_in_simulation_an_event_costs_what_it_does() -> None:
    cost = VirtualCost(event_s=0.001, effect_s=0.01, change_s=0.1)
    handler = writes_then(DropPacket("unwanted"))
    frugal = Bench(toy(on_packet=handler, manifest=toy_manifest(handler_ms=221)), cost=cost)
    strict = Bench(toy(on_packet=handler, manifest=toy_manifest(handler_ms=220)), cost=cost)

    assert frugal.run(toy_packet()).reason == "unwanted"
    assert frugal.instance.cost_s == pytest.approx(0.221)
    assert strict.run(toy_packet()).reason == "cpu_exceeded"
    assert not strict.undo.steps


def test_packets_that_a_failed_event_pushed_out_stay() -> None:
    def hold(event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        yield HoldPacket(AttachmentOf(event.packet.source))

    cost = VirtualCost(event_s=0.0, effect_s=0.0, change_s=0.001)
    bench = Bench(toy(on_packet=hold, manifest=toy_manifest(handler_ms=1)), cost=cost)
    reasons = [
        bench.run(toy_packet(bytes([n]) * 16, payload=bytes(64_000))).reason for n in range(20)
    ]

    # To hold one more takes a second change, which exceeds the limit of the event.
    assert reasons[-1] == "cpu_exceeded"
    assert reasons.count("") == len(bench.holds)


def test_the_trail_says_what_each_event_came_to() -> None:
    bench = Bench(toy(on_start=lambda _event, _ctx: 1 / 0))  # type: ignore[typeddict-item]
    trail = bench.instance.trail = []
    _ = bench.run(toy_packet())
    _ = bench.run(Started())

    (effects, no_fault, no_error), (nothing, fault, error) = trail
    assert (effects, no_fault, no_error) == ((DropPacket("unwanted"),), None, None)
    assert nothing == ()
    assert fault is not None
    assert isinstance(error, ZeroDivisionError)


def test_a_new_instance_takes_the_place_of_the_old() -> None:
    bench = Bench(toy())

    bench.instance.renew(toy(on_packet=lambda _event, _ctx: [DropPacket("bored")]))

    assert bench.run(toy_packet()).reason == "service_error"
