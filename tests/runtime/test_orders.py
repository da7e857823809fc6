import msgspec
import pytest

from ei.errors import ServiceError
from ei.runtime.admission import Admission
from ei.runtime.batches import EncodedAnswer, Outcome, ResolveBytes, SendControlBytes
from ei.runtime.holds import MAX_BYTES_PER_SOURCE, Holds
from ei.runtime.orders import NOTHING, NoAnswerError, Orders
from ei.runtime.timers import MIN_AFTER_S, Timers
from ei.runtime.undo import UndoLog
from ei.sdk import (
    Address,
    AtNode,
    AttachmentOf,
    CancelTimer,
    CloseStream,
    Count,
    Decision,
    DropPacket,
    Effect,
    HoldPacket,
    InstallDecision,
    KeepDictionary,
    OpenStream,
    Pass,
    PassPacket,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendKept,
    SendPacket,
    SetTimer,
    WriteStream,
    key_of,
)
from ei.testing.toys import toy_manifest, toy_packet

A = Address(b"a" * 16)
EVENT = toy_packet()
PACKET = EVENT.packet
QUERY = AttachmentOf(A)
QUERY_BYTES = msgspec.msgpack.encode(QUERY)
SEND = SendPacket(PACKET, A)
INSTALL = InstallDecision(Decision(key_of(PACKET), Pass(), ttl_s=1.0))


class Join(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A message."""


def answer(outcome: Outcome, reason: str, effects: tuple[object, ...]) -> EncodedAnswer:
    return EncodedAnswer(outcome, reason, msgspec.Raw(msgspec.msgpack.encode(effects)))


class Desk:
    """Orders with their timers and holds in reach."""

    def __init__(self) -> None:
        self.undo = UndoLog()
        self.timers, self.holds = Timers(self.undo), Holds(self.undo)
        admission = Admission(toy_manifest(capabilities=("streams",)), (Join,))
        self.orders = Orders(admission, undo=self.undo, timers=self.timers, holds=self.holds)
        self.orders.now_s = 100.0

    def packet(self, *effects: Effect, times: int = 0) -> EncodedAnswer:
        return self.orders.of_packet(effects, EVENT, origin=0, times=times)

    def other(self, *effects: Effect) -> EncodedAnswer:
        return self.orders.of_other(effects)


def test_a_packet_that_is_sent_is_answered() -> None:
    assert Desk().packet(INSTALL, SEND, SEND) == answer(Outcome.ANSWERED, "", (INSTALL, SEND, SEND))


def test_a_packet_that_is_handed_on_is_passed_and_copies_may_go_elsewhere() -> None:
    passed = PassPacket(PACKET)

    assert Desk().packet(passed, SEND) == answer(Outcome.PASSED, "", (passed, SEND))


def test_a_packet_that_is_dropped_has_a_reason() -> None:
    assert Desk().packet(INSTALL, DropPacket("unwanted")) == answer(
        Outcome.DROPPED, "unwanted", (INSTALL,)
    )


def test_a_packet_that_waits_makes_the_question_be_asked_once() -> None:
    desk = Desk()

    assert desk.packet(HoldPacket(QUERY)) == answer(Outcome.HELD, "", (ResolveBytes(QUERY_BYTES),))
    assert desk.packet(HoldPacket(QUERY)) == answer(Outcome.HELD, "", ())
    assert desk.holds.next_deadline_s() == 101.0


def test_a_packet_that_may_not_wait_is_dropped() -> None:
    assert Desk().packet(HoldPacket(QUERY), times=2) == answer(
        Outcome.DROPPED, "hold_full", (ResolveBytes(QUERY_BYTES),)
    )


def test_packets_that_were_pushed_out_are_handed_to_the_environment() -> None:
    desk = Desk()
    large = bytes(MAX_BYTES_PER_SOURCE - 1_000)
    for number in range(40):
        source = bytes([number]) * 16
        event = toy_packet(source, payload=large)
        hold = (HoldPacket(AttachmentOf(Address(source))),)
        held = desk.orders.of_packet(hold, event, origin=0, times=0)
        assert held.outcome is Outcome.HELD or held.reason == "hold_full"
        if desk.orders.pushed_out:
            break

    # Pipes that hold the same: the one that came first gives way.
    assert [held.event.packet.source[0] for held in desk.orders.pushed_out] == [0]


@pytest.mark.parametrize("effects", [(), (INSTALL,), (Count("seen"), SetTimer(b"", 1.0))])
def test_a_packet_must_be_answered(effects: tuple[Effect, ...]) -> None:
    with pytest.raises(NoAnswerError):
        _ = Desk().packet(*effects)


@pytest.mark.parametrize(
    "effects",
    [
        (DropPacket("unwanted"), DropPacket("unwanted")),
        (HoldPacket(QUERY), PassPacket(PACKET)),
        (SEND, DropPacket("unwanted")),
        (SEND, HoldPacket(QUERY)),
        (PassPacket(PACKET), PassPacket(PACKET)),
    ],
)
def test_a_packet_has_one_fate(effects: tuple[Effect, ...]) -> None:
    with pytest.raises(ServiceError, match="answers a packet twice: "):
        _ = Desk().packet(*effects)


@pytest.mark.parametrize("effect", [DropPacket("unwanted"), HoldPacket(QUERY), PassPacket(PACKET)])
def test_without_a_packet_there_is_none_to_answer(effect: Effect) -> None:
    with pytest.raises(ServiceError, match="there is no packet"):
        _ = Desk().other(effect)


def test_other_events_may_ask_for_all_the_rest() -> None:
    revoke, count, tally = RevokeDecisions(b"t"), Count("seen"), ReadTally(b"t")
    keep, again = KeepDictionary(b"d", bytes(8)), SendKept(b"k", (bytes(8),), A, b"")

    asked = (
        SEND, INSTALL, revoke, count, tally, keep, again, SendControl(Join(), A), Resolve(QUERY)
    )  # fmt: skip

    message = msgspec.msgpack.encode(Join())
    assert Desk().other(*asked) == answer(
        Outcome.NONE,
        "",
        (
            SEND,
            INSTALL,
            revoke,
            count,
            tally,
            keep,
            again,
            SendControlBytes(message, A),
            ResolveBytes(QUERY_BYTES),
        ),
    )


def test_timers_are_kept_here() -> None:
    desk = Desk()

    armed = desk.other(SetTimer(b"a", 2.0), SetTimer(b"b", 1.0), CancelTimer(b"b"))

    assert armed == NOTHING
    assert desk.timers.next_deadline_s() == 102.0


def test_a_timer_takes_a_moment_at_least() -> None:
    desk = Desk()
    _ = desk.other(SetTimer(b"a", 0.0))

    assert desk.timers.next_deadline_s() == 100.0 + MIN_AFTER_S


@pytest.mark.parametrize("junk", ["junk", None, PACKET])
def test_what_is_no_effect_is_refused(junk: Effect) -> None:
    with pytest.raises(ServiceError, match="is not an effect"):
        _ = Desk().other(junk)


def test_what_is_asked_of_streams_is_an_answer_of_its_own_in_the_order_of_asking() -> None:
    desk = Desk()
    opens, writes = OpenStream(1, AtNode(A)), WriteStream(2, b"hello")

    assert desk.packet(opens, SEND, writes) == answer(Outcome.ANSWERED, "", (SEND,))
    assert desk.other(writes) == answer(Outcome.NONE, "", ())

    assert desk.orders.to_streams == [
        answer(Outcome.NONE, "", (opens, writes)),
        answer(Outcome.NONE, "", (writes,)),
    ]


def test_what_is_asked_of_streams_can_be_taken_back() -> None:
    desk = Desk()
    _ = desk.other(CloseStream(2))
    mark = len(desk.undo.steps)
    _ = desk.other(CloseStream(4))
    desk.orders.close_stream(6)

    desk.undo.undo_to(mark)

    assert desk.orders.to_streams == [answer(Outcome.NONE, "", (CloseStream(2),))]
