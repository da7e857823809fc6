from collections.abc import Iterator
from typing import Any, Unpack

import msgspec
import pytest

from ei.errors import ConfigError, LimitError, LocalError, ServiceError
from ei.runtime.batches import (
    Answer,
    ControlReceived,
    EffectBatch,
    EventBatch,
    Item,
    Outcome,
    PeersMeasured,
    QueryResolved,
)
from ei.runtime.environment import MAX_TIMERS_AT_ONCE, RETRY_AFTER_S, Environment
from ei.runtime.loader import LoadedService
from ei.runtime.stores import MemoryStore
from ei.sdk import (
    NOWHERE,
    Address,
    AtNode,
    Attachment,
    AttachmentOf,
    CloseStream,
    Connection,
    Context,
    ControlArrived,
    Count,
    Decision,
    DropPacket,
    Effect,
    HoldPacket,
    InstallDecision,
    Key,
    OpenStream,
    PacketArrived,
    Pass,
    PeerChanged,
    ReadStream,
    Resolved,
    SendPacket,
    SetTimer,
    Started,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    TallyRead,
    TimerFired,
    WriteStream,
)
from ei.testing.toys import Handlers, toy, toy_manifest, toy_packet

NODE = Address(bytes.fromhex("fd3500000007") + b"n" * 10)
A, B = Address(b"a" * 16), Address(b"b" * 16)
QUERY, RECORD = AttachmentOf(B), Attachment(B, (A,))
DROPPED = Answer(Outcome.DROPPED, "unwanted", ())
NOTHING = Answer(Outcome.NONE, "", ())


class Join(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A message."""

    group: bytes


class FullStore(MemoryStore):
    """A store whose disk fills up."""

    is_full = False

    def commit(self) -> None:
        if self.is_full:
            raise LimitError("the disk is full")


class Rig:
    """An environment, its batches made here."""

    def __init__(self, loaded: LoadedService, stable: MemoryStore | None = None) -> None:
        self.environment = Environment(loaded, node=NODE, seed=b"1", stable=stable)
        self.sequence = 0
        self.now_s = 100.0

    def batch(self, *items: Item, origin: int = 0, epoch: int = 0) -> list[Answer]:
        self.sequence += 1
        batch = EventBatch(self.sequence, epoch, self.now_s, 1e9, items)
        reply = read(self.environment.deliver_batch(encoded(batch), origin=origin))
        assert (reply.sequence, reply.epoch) == (self.sequence, epoch)
        return list(reply.answers)

    def fire(self) -> list[Answer] | None:
        reply = self.environment.fire_due(self.now_s, 1e9)
        return None if reply is None else list(read(reply).answers)


def encoded(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def read(reply: bytes) -> EffectBatch:
    return msgspec.msgpack.decode(reply, type=EffectBatch)


def raw(*effects: Effect) -> tuple[object, ...]:
    """Effects as they come back from bytes whose types nobody says."""
    return tuple(msgspec.msgpack.decode(encoded(effect)) for effect in effects)


def hold(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
    """Send to A once B is known."""
    if QUERY in ctx.records:
        yield SendPacket(event.packet, A)
    else:
        yield HoldPacket(QUERY, timeout_s=2.0)


def store(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
    """Keep the payload under the metadata, in both stores."""
    ctx.stable.put(event.packet.metadata, event.packet.payload)
    ctx.ephemeral.put(event.packet.metadata, event.packet.payload)
    yield SetTimer(event.packet.metadata, 1.0)
    yield DropPacket("unwanted")


# -- a batch --------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_their_events() -> None:
    def on_packet(event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        yield SendPacket(event.packet, A) if event.packet.payload else DropPacket("unwanted")

    rig = Rig(toy(on_packet=on_packet))

    answers = rig.batch(Started(), toy_packet(payload=b"1"), toy_packet(), TallyRead(b"t", 0, 0))

    assert [answer.outcome for answer in answers] == [
        Outcome.NONE,
        Outcome.ANSWERED,
        Outcome.DROPPED,
        Outcome.NONE,
    ]


def test_an_event_that_fails_leaves_the_others_of_its_batch_alone() -> None:
    def on_packet(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.ephemeral.put(event.packet.payload, b"")
        if event.packet.payload == b"2":
            raise ValueError
        yield Count("seen", len(list(ctx.ephemeral.scan(b""))))
        yield DropPacket("unwanted")

    rig = Rig(toy(on_packet=on_packet))

    answers = rig.batch(*[toy_packet(payload=payload) for payload in (b"1", b"2", b"3")])

    assert answers == [
        Answer(Outcome.DROPPED, "unwanted", raw(Count("seen", 1))),
        Answer(Outcome.DROPPED, "service_error", ()),
        Answer(Outcome.DROPPED, "unwanted", raw(Count("seen", 2))),
    ]


def test_a_batch_whose_commit_fails_never_happened() -> None:
    stable = FullStore(limit_bytes=1_000)
    rig = Rig(toy(on_packet=store, on_peer=lambda _event, _ctx: [Count("seen")]), stable)
    assert rig.batch(toy_packet(metadata=b"before", payload=b"1")) == [DROPPED]
    stable.is_full = True

    answers = rig.batch(
        toy_packet(metadata=b"before", payload=b"2"),
        toy_packet(metadata=b"after", payload=b"2"),
        PeerChanged(A, is_up=True),
    )

    assert answers == [
        Answer(Outcome.DROPPED, "store_failed", ()),
        Answer(Outcome.DROPPED, "store_failed", ()),
        Answer(Outcome.NONE, "", raw(Count("store_failed"))),
    ]
    assert dict(stable.scan(b"")) == {b"before": b"1"}
    statistics = rig.environment.statistics()
    assert (statistics.timers, statistics.ephemeral.entries) == (1, 1)
    assert statistics.faults == {"store_failed": 1}
    assert "the disk is full" in str(statistics.newest_faults[0])


def test_what_is_no_batch_is_refused_and_changes_nothing() -> None:
    rig = Rig(toy())

    with pytest.raises(LocalError, match="not an EventBatch"):
        _ = rig.environment.deliver_batch(b"junk")

    assert rig.environment.statistics().events == 0


def test_effects_that_are_no_plain_data_fail_their_event_alone() -> None:
    def on_peer(event: PeerChanged, _ctx: Context[Any]) -> Iterator[Effect]:
        key = Key(event.peer, event.peer, Connection(2**70), b"", NOWHERE)
        yield InstallDecision(Decision(key, Pass(), ttl_s=1.0))

    rig = Rig(toy(on_packet=store, on_peer=on_peer))

    answers = rig.batch(toy_packet(metadata=b"k"), PeerChanged(A, is_up=True))

    assert answers == [DROPPED, Answer(Outcome.NONE, "", raw(Count("service_error")))]
    assert rig.environment.statistics().stable.entries == 1


# -- what comes first, what follows ---------------------------------------------------------------


def started(_event: Started, _ctx: Context[Any]) -> Iterator[Effect]:
    yield Count("seen")


def test_started_comes_first_even_if_nobody_says_it() -> None:
    rig = Rig(toy(on_start=started))

    assert rig.batch(toy_packet()) == [DROPPED, Answer(Outcome.NONE, "", raw(Count("seen")))]
    assert rig.batch(Started(), toy_packet()) == [NOTHING, DROPPED]


def test_started_comes_once() -> None:
    rig = Rig(toy(on_start=started))

    seen = Answer(Outcome.NONE, "", raw(Count("seen")))
    assert rig.batch(Started(), Started()) == [seen, NOTHING]


def test_peers_are_those_whose_pipe_is_up_with_their_round_trips() -> None:
    seen: list[dict[Address, float]] = []

    def on_packet(_event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        seen.append(dict(ctx.peers))
        yield DropPacket("unwanted")

    rig = Rig(toy(on_packet=on_packet))
    _ = rig.batch(PeerChanged(A, is_up=True), toy_packet())
    _ = rig.batch(PeersMeasured({A: 0.5, B: 0.25}), PeerChanged(A, is_up=True), toy_packet())
    _ = rig.batch(PeerChanged(A, is_up=False), PeerChanged(A, is_up=False), toy_packet())

    assert seen == [{A: 0.0}, {A: 0.5, B: 0.25}, {B: 0.25}]


def test_what_a_handler_reads_is_of_its_event() -> None:
    seen: list[tuple[object, ...]] = []

    def on_packet(_event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        seen.append((ctx.now_s, ctx.unix_s, ctx.node, ctx.domain, ctx.config))
        yield DropPacket("unwanted")

    rig = Rig(toy(on_packet=on_packet))
    _ = rig.batch(toy_packet())
    rig.now_s = 99.0  # from a thread that is behind
    _ = rig.batch(toy_packet())

    assert seen == [(100.0, 1e9, NODE, 7, None)] * 2


def test_control_messages_arrive_in_their_types() -> None:
    seen: list[object] = []

    def on_control(event: ControlArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        seen.append(event)
        yield Count("seen")

    rig = Rig(toy(on_control=on_control, messages=(Join,)))
    answers = rig.batch(
        ControlReceived(A, encoded(Join(b"news"))), ControlReceived(A, encoded({"type": "Jion"}))
    )

    assert seen == [ControlArrived(A, Join(b"news"))]
    assert answers == [
        Answer(Outcome.NONE, "", raw(Count("seen"))),
        Answer(Outcome.NONE, "", raw(Count("bad_control"))),
    ]


# -- held packets ---------------------------------------------------------------------------------


def test_held_packets_come_back_when_their_query_is_answered() -> None:
    rig = Rig(toy(on_packet=hold))
    held = rig.batch(toy_packet(payload=b"1"), toy_packet(payload=b"2"))

    answers = rig.batch(QueryResolved(encoded(QUERY), encoded(RECORD)))

    assert [answer.outcome for answer in held] == [Outcome.HELD] * 2
    assert held[0].effects == ([9, encoded(QUERY)],)
    assert [answer.outcome for answer in answers] == [
        Outcome.NONE,
        Outcome.ANSWERED,
        Outcome.ANSWERED,
    ]
    assert answers[1].effects == raw(SendPacket(toy_packet(payload=b"1").packet, A))


def test_the_service_hears_the_answer_before_the_packets_come_back() -> None:
    seen: list[str] = []

    def on_packet(event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        seen.append("packet")
        return hold(event, ctx)

    def on_resolved(_event: Resolved, _ctx: Context[Any]) -> Iterator[Effect]:
        seen.append("resolved")
        return iter(())

    rig = Rig(toy(on_packet=on_packet, on_resolved=on_resolved))
    _ = rig.batch(toy_packet(), QueryResolved(encoded(QUERY), None))

    assert seen == ["packet", "resolved", "packet"]


def test_a_record_that_changed_is_heard_and_kept_although_nobody_asked() -> None:
    heard: list[object] = []

    def on_resolved(event: Resolved, ctx: Context[Any]) -> Iterator[Effect]:
        heard.append((event.record, ctx.records[QUERY]))
        return iter(())

    rig = Rig(toy(on_packet=hold, on_resolved=on_resolved))
    moved = Attachment(B, (B,))
    _ = rig.batch(QueryResolved(encoded(QUERY), encoded(RECORD)))
    _ = rig.batch(QueryResolved(encoded(QUERY), encoded(moved)))

    assert heard == [(RECORD, RECORD), (moved, moved)]
    assert [answer.outcome for answer in rig.batch(toy_packet())] == [Outcome.ANSWERED]


def test_an_answer_goes_to_the_thread_whose_packet_waited() -> None:
    rig = Rig(toy(on_packet=hold))
    _ = rig.batch(toy_packet(), origin=3, epoch=8)

    answers = rig.batch(QueryResolved(encoded(QUERY), encoded(RECORD)), origin=0)

    assert answers == [NOTHING]
    ((origin, stray),) = rig.environment.take_strays()
    assert origin == 3
    assert (read(stray).sequence, read(stray).epoch) == (0, 8)
    assert [answer.outcome for answer in read(stray).answers] == [Outcome.ANSWERED]
    assert rig.environment.take_strays() == []


def test_a_packet_that_waits_too_long_is_dropped() -> None:
    rig = Rig(toy(on_packet=hold))
    _ = rig.batch(toy_packet())
    _ = rig.batch(toy_packet(), origin=1)
    assert rig.environment.next_deadline_s() == 102.0
    assert rig.fire() is None

    rig.now_s = 102.0

    timed_out = [Answer(Outcome.DROPPED, "hold_timeout", ())]
    assert rig.fire() == timed_out
    assert [list(read(stray).answers) for _, stray in rig.environment.take_strays()] == [timed_out]
    assert rig.environment.next_deadline_s() is None


def test_a_packet_that_is_pushed_out_is_dropped() -> None:
    def on_packet(event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        yield HoldPacket(AttachmentOf(event.packet.source))

    rig = Rig(toy(on_packet=on_packet))
    answers: list[Answer] = []
    for number in range(20):
        answers += rig.batch(toy_packet(bytes([number]) * 16, payload=bytes(60_000)))

    outcomes = [answer.outcome for answer in answers]
    assert outcomes.count(Outcome.HELD) == 20
    assert answers.count(Answer(Outcome.DROPPED, "hold_full", ())) == len(answers) - 20
    assert rig.environment.statistics().held == 40 - len(answers)


def test_when_the_commit_fails_held_packets_still_wait() -> None:
    def on_resolved(_event: Resolved, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.stable.put(b"k", b"v")
        return iter(())

    stable = FullStore(limit_bytes=1_000)
    rig = Rig(toy(on_packet=hold, on_resolved=on_resolved), stable)
    _ = rig.batch(toy_packet())
    stable.is_full = True

    answers = rig.batch(QueryResolved(encoded(QUERY), encoded(RECORD)))

    assert answers == [Answer(Outcome.NONE, "", raw(Count("store_failed")))]
    assert rig.environment.statistics().held == 1
    stable.is_full = False
    rig.now_s = 102.0
    assert rig.fire() == [Answer(Outcome.DROPPED, "hold_timeout", ())]


# -- timers ---------------------------------------------------------------------------------------


def test_a_timer_that_is_due_is_an_event() -> None:
    def on_timer(event: TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
        assert event.key == b"t"
        yield Count("seen")

    rig = Rig(toy(on_packet=store, on_timer=on_timer))
    _ = rig.batch(toy_packet(metadata=b"t"), epoch=5)
    rig.now_s = 100.999
    assert rig.fire() is None

    rig.now_s = 101.0
    reply = rig.environment.fire_due(rig.now_s, 1e9)

    assert reply is not None
    assert (read(reply).sequence, read(reply).epoch) == (0, 5)
    assert read(reply).answers == (Answer(Outcome.NONE, "", raw(Count("seen"))),)
    assert rig.fire() is None


def test_a_timer_that_asks_for_nothing_says_nothing() -> None:
    rig = Rig(toy(on_packet=store))
    _ = rig.batch(toy_packet(metadata=b"t"))
    rig.now_s = 101.0

    assert rig.environment.is_due(rig.now_s)
    assert rig.fire() is None
    assert not rig.environment.is_due(rig.now_s)


def test_a_flood_of_timers_lets_others_have_their_turn() -> None:
    def on_timer(_event: TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
        yield Count("seen")

    rig = Rig(toy(on_packet=store, on_timer=on_timer))
    for number in range(MAX_TIMERS_AT_ONCE + 1):
        _ = rig.batch(toy_packet(metadata=b"%d" % number))
    rig.now_s = 101.0

    assert len(rig.fire() or ()) == MAX_TIMERS_AT_ONCE
    assert len(rig.fire() or ()) == 1


def test_timers_whose_commit_fails_are_tried_again_after_a_while() -> None:
    def on_timer(_event: TimerFired, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.stable.put(b"fired", b"")
        yield Count("seen")

    stable = FullStore(limit_bytes=1_000)
    rig = Rig(toy(on_packet=store, on_timer=on_timer), stable)
    _ = rig.batch(toy_packet(metadata=b"t"))
    stable.is_full = True
    rig.now_s = 101.0

    assert rig.fire() is None

    assert rig.environment.next_deadline_s() == 101.0 + RETRY_AFTER_S
    stable.is_full = False
    rig.now_s += RETRY_AFTER_S
    assert len(rig.fire() or ()) == 1
    assert stable.get(b"fired") == b""


# -- values ---------------------------------------------------------------------------------------


def test_an_event_by_hand_returns_all_that_the_service_asked_for() -> None:
    environment = Environment(toy(on_packet=hold), node=NODE, seed=b"1")

    assert environment.deliver(toy_packet(), now_s=1.0) == (HoldPacket(QUERY, timeout_s=2.0),)
    assert environment.deliver(Resolved(QUERY, RECORD), now_s=1.0) == (
        SendPacket(toy_packet().packet, A),
    )


def test_an_event_by_hand_that_fails_is_an_error_with_its_cause() -> None:
    def on_packet(_event: PacketArrived, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.stable.put(b"k", b"v")
        raise ValueError("no")

    stable = MemoryStore(limit_bytes=1_000)
    environment = Environment(toy(on_packet=on_packet), node=NODE, seed=b"1", stable=stable)

    with pytest.raises(
        ServiceError, match="service_error: PacketArrived: ValueError: no"
    ) as caught:
        _ = environment.deliver(toy_packet(), now_s=1.0)

    assert isinstance(caught.value.__cause__, ValueError)
    assert stable.get(b"k") is None


def test_a_packet_by_hand_is_one_that_a_datapath_could_hand_over() -> None:
    environment = Environment(toy(), node=NODE, seed=b"seed")
    packet = msgspec.structs.replace(toy_packet().packet, source="alice")

    with pytest.raises(ServiceError, match=r"Packet.source = 'alice': Expected `bytes`, got `str`"):
        _ = environment.deliver(PacketArrived(packet), now_s=1.0)


def test_an_event_by_hand_whose_commit_fails_is_an_error() -> None:
    stable = FullStore(limit_bytes=1_000)
    stable.is_full = True
    environment = Environment(toy(), node=NODE, seed=b"1", stable=stable)

    with pytest.raises(LocalError, match="the disk is full"):
        _ = environment.deliver(toy_packet(), now_s=1.0)


def test_timers_by_hand_return_what_they_asked_for() -> None:
    def on_timer(_event: TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
        yield Count("seen")

    environment = Environment(toy(on_packet=store, on_timer=on_timer), node=NODE, seed=b"1")
    _ = environment.deliver(toy_packet(metadata=b"t"), now_s=1.0)

    assert environment.deliver_due(now_s=2.0) == (Count("seen"),)


# -- streams --------------------------------------------------------------------------------------

STREAMS = 3
OPENED = StreamOpened(2, A, b"", 9)


class StreamRig(Rig):
    """An environment whose streams are origin 3."""

    def __init__(self, loaded: LoadedService, stable: MemoryStore | None = None) -> None:
        super().__init__(loaded, stable)
        self.environment = Environment(loaded, node=NODE, seed=b"1", stable=stable, streams=STREAMS)

    def strays(self) -> dict[int, list[Answer]]:
        return {
            origin: list(read(stray).answers) for origin, stray in self.environment.take_strays()
        }


def streaming(**handlers: Unpack[Handlers]) -> LoadedService:
    return toy(manifest=toy_manifest(capabilities=("streams",)), **handlers)


def pulls(event: StreamEvent, _ctx: Context[Any]) -> Iterator[Effect]:
    """Read what comes, and count it."""
    yield Count("seen")
    yield ReadStream(event.stream)


def test_who_has_the_streams_is_told_of_streams_alone() -> None:
    rig = StreamRig(streaming(on_stream=pulls))

    answers = rig.batch(OPENED, StreamData(2, b"one", is_end=False), origin=STREAMS)

    read_it = Answer(Outcome.NONE, "", raw(ReadStream(2)))
    assert answers == [NOTHING, NOTHING, read_it, read_it]
    counted_it = Answer(Outcome.NONE, "", raw(Count("seen")))
    assert rig.strays() == {0: [counted_it, counted_it]}


def test_what_a_packet_asks_of_streams_goes_to_who_has_them() -> None:
    def on_packet(event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
        yield OpenStream(1, AtNode(A))
        yield SendPacket(event.packet, A)

    rig = StreamRig(streaming(on_packet=on_packet))

    answers = rig.batch(toy_packet(), origin=1)

    assert answers == [Answer(Outcome.ANSWERED, "", raw(SendPacket(toy_packet().packet, A)))]
    assert rig.strays() == {STREAMS: [Answer(Outcome.NONE, "", raw(OpenStream(1, AtNode(A))))]}


def test_a_timer_may_ask_of_streams_alone() -> None:
    rig = StreamRig(
        streaming(
            on_start=lambda _event, _ctx: [SetTimer(b"t", 1.0)],
            on_timer=lambda _event, _ctx: [CloseStream(2)],
        )
    )
    _ = rig.batch(Started())
    rig.now_s += 1.0

    assert rig.fire() is None

    assert rig.strays() == {STREAMS: [Answer(Outcome.NONE, "", raw(CloseStream(2)))]}


def test_started_is_answered_to_the_datapath_though_a_stream_came_first() -> None:
    rig = StreamRig(streaming(on_start=lambda _event, _ctx: [Count("seen"), CloseStream(8)]))

    answers = rig.batch(OPENED, origin=STREAMS)

    assert answers == [NOTHING, Answer(Outcome.NONE, "", raw(CloseStream(8)))]
    assert rig.strays() == {0: [Answer(Outcome.NONE, "", raw(Count("seen")))]}


def test_an_event_of_a_stream_that_fails_closes_it_and_leaves_the_others_alone() -> None:
    def on_stream(event: StreamEvent, _ctx: Context[Any]) -> Iterator[Effect]:
        yield ReadStream(event.stream)
        if event.stream == 2:
            raise ValueError("planted")

    rig = StreamRig(streaming(on_stream=on_stream))

    answers = rig.batch(OPENED, StreamOpened(4, A, b"", 9), origin=STREAMS)

    assert answers[2:] == [
        Answer(Outcome.NONE, "", raw(CloseStream(2))),
        Answer(Outcome.NONE, "", raw(ReadStream(4))),
    ]
    assert rig.strays() == {0: [Answer(Outcome.NONE, "", raw(Count("service_error")))]}


def test_when_the_commit_fails_nothing_was_asked_of_streams_but_to_close_them() -> None:
    def on_stream(event: StreamEvent, ctx: Context[Any]) -> Iterator[Effect]:
        ctx.stable.put(b"k", b"v")
        yield WriteStream(event.stream, b"kept")

    disk = FullStore(limit_bytes=10_000)
    rig = StreamRig(streaming(on_stream=on_stream), disk)
    disk.is_full = True

    answers = rig.batch(OPENED, StreamClosed(4, "ended", 0, 0), origin=STREAMS)

    assert answers == [Answer(Outcome.NONE, "", raw(CloseStream(2))), NOTHING]
    assert rig.strays() == {}
    disk.is_full = False
    assert rig.batch(OPENED, origin=STREAMS)[1:] == [
        Answer(Outcome.NONE, "", raw(WriteStream(2, b"kept")))
    ]


def test_an_event_of_a_stream_by_hand_returns_what_was_asked_for() -> None:
    environment = Environment(streaming(on_stream=pulls), node=NODE, seed=b"1")

    assert environment.deliver(OPENED, now_s=1.0) == (Count("seen"), ReadStream(2))
    assert environment.take_strays() == []


# -- what else ------------------------------------------------------------------------------------


def test_an_environment_goes_on_with_a_new_instance() -> None:
    environment = Environment(toy(), node=NODE, seed=b"1")
    _ = environment.deliver(toy_packet(), now_s=1.0)

    environment.renew(toy(on_packet=lambda event, _ctx: [SendPacket(event.packet, A)]))

    assert environment.deliver(toy_packet(), now_s=1.0) == (SendPacket(toy_packet().packet, A),)


def test_a_configuration_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no key 'ttl_s' in \[config\] is known"):
        _ = Environment(toy(), node=NODE, seed=b"1", config={"ttl_s": 1.0})


def test_it_says_what_it_did() -> None:
    rig = Rig(toy())
    _ = rig.batch(Started(), toy_packet())

    assert repr(rig.environment) == "<Environment of toy: 2 events, {}>"
    assert rig.environment.statistics().events == 2
    assert rig.environment.clock.event == 0
    assert rig.environment.faults.total == 0
