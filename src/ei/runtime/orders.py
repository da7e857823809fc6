"""Carries out what a service asked for, as far as that is done here, and readies the rest.

Timers and holds are ours. All else goes to the datapath, in the order in which it was asked for:
what is about streams to the thread that has them, the rest to the thread whose event it was.
"""

from typing import assert_never

import msgspec

from ei.errors import ServiceError
from ei.runtime.admission import Admission
from ei.runtime.batches import (
    Answer,
    AnyAnswer,
    EncodedAnswer,
    Outcome,
    ResolveBytes,
    SendControlBytes,
)
from ei.runtime.holds import Held, Holds
from ei.runtime.open_streams import OpenStreams
from ei.runtime.plain_answers import is_plain
from ei.runtime.shown import shown
from ei.runtime.timers import MIN_AFTER_S, Timers
from ei.runtime.undo import UndoLog
from ei.sdk import (
    CancelTimer,
    CloseStream,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    InstallDecision,
    KeepDictionary,
    OpenStream,
    PacketArrived,
    PassPacket,
    Query,
    ReadStream,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendKept,
    SendPacket,
    SetTimer,
    SpliceStreams,
    StartTls,
    WriteStream,
)

_Ending = PassPacket | DropPacket | HoldPacket
_ENDINGS = (PassPacket, DropPacket, HoldPacket)
_FOR_STREAMS = (WriteStream, ReadStream, SpliceStreams, CloseStream, OpenStream, StartTls)
_FOR_DATAPATH = (
    SendPacket, InstallDecision, RevokeDecisions, PassPacket, ReadTally, KeepDictionary, SendKept,
)  # fmt: skip

_ANSWERED = Outcome.ANSWERED
"""To look up a member of an enum takes as long as ten attributes, and each miss would."""

NO_EFFECTS = msgspec.Raw(b"\x90")
NOTHING = EncodedAnswer(Outcome.NONE, "", NO_EFFECTS)
"""The answer to an event that is not a packet and asks for nothing."""


class NoAnswerError(ServiceError):
    """A packet was handled, but neither sent, passed, held nor dropped."""


class AnsweredTwiceError(ServiceError):
    """A packet has more than one fate."""


class Orders:
    """Turns the effects of one event at a time into the answer that the datapath gets.

    Attributes:
        admission: Checks what is asked for.
        streams: Those that the service has.
        now_s: Time of the event.
        pushed_out: Held packets that were pushed out, until the environment takes them.
        to_streams: An answer for each event that asked for something of streams, likewise.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        undo: UndoLog,
        timers: Timers,
        holds: Holds,
        streams: OpenStreams | None = None,
    ) -> None:
        self.admission = admission
        self.streams = OpenStreams(undo) if streams is None else streams
        self._undo = undo
        self._timers = timers
        self._holds = holds
        self._encode = msgspec.msgpack.Encoder().encode
        self.now_s = 0.0
        self.pushed_out: list[Held] = []
        self.to_streams: list[EncodedAnswer] = []

    def of_packet(  # noqa: PLR0911 one for each outcome
        self, effects: tuple[Effect, ...], event: PacketArrived, origin: int, times: int
    ) -> AnyAnswer:
        """Carry out the effects of a packet, which must answer it.

        Raises:
            ServiceError: An effect is not allowed, or the packet is answered twice.
            NoAnswerError: It is not answered.
        """
        if is_plain(effects, event.packet):
            return Answer(_ANSWERED, "", effects)  # encoded with the reply
        encoded, is_sent, others = self.admission.check(effects, event.packet)
        if is_sent and not others:
            # What was asked for is what the datapath gets.
            return EncodedAnswer(_ANSWERED, "", msgspec.Raw(encoded))
        ending = _ending_of(others, is_sent=is_sent)
        native = self._carry_out(effects)
        match ending:
            case None:
                return self._answer(_ANSWERED, native)
            case PassPacket():
                return self._answer(Outcome.PASSED, native)
            case DropPacket(reason=reason):
                self.admission.check_reason(reason)
                return self._answer(Outcome.DROPPED, native, reason)
            case HoldPacket(until=query):
                self._ask(query, native)
                if self._hold(ending, event, origin=origin, times=times):
                    return self._answer(Outcome.HELD, native)
                return self._answer(Outcome.DROPPED, native, "hold_full")
            case _:
                assert_never(ending)

    def of_other(self, effects: tuple[Effect, ...]) -> EncodedAnswer:
        """Carry out the effects of an event that is not a packet.

        Raises:
            ServiceError: An effect is not allowed.
        """
        if not effects:
            return NOTHING
        _, _, others = self.admission.check(effects, None)
        for effect in others:
            if isinstance(effect, _ENDINGS):
                raise ServiceError(f"{shown(effect)}: there is no packet")
        return self._answer(Outcome.NONE, self._carry_out(effects))

    def close_stream(self, stream: int) -> None:
        """Close a stream whose event came to nothing: what it brought would be missing."""
        self._tell_streams([CloseStream(stream)])

    # -- the parts ------------------------------------------------------------------------------

    def _carry_out(  # noqa: C901 one case for each effect
        self, effects: tuple[Effect, ...]
    ) -> list[object]:
        """Do what is done here; return what goes to the datapath."""
        native: list[object] = []
        of_streams: list[object] = []
        for effect in effects:
            # Each event comes by here: `isinstance` costs a fraction of what `match` does.
            if isinstance(effect, _FOR_STREAMS):
                self.admission.check_stream(effect)
                if isinstance(effect, OpenStream):
                    self.streams.open(effect.stream)
                of_streams.append(effect)
                continue
            if isinstance(effect, _FOR_DATAPATH):
                native.append(effect)
                continue
            match effect:
                case SetTimer(key=key, after_s=after_s):
                    self._timers.set(key, self.now_s + max(after_s, MIN_AFTER_S))
                case CancelTimer(key=key):
                    self._timers.cancel(key)
                case Resolve(query=query):
                    self._ask(query, native)
                case SendControl(to=to):
                    native.append(SendControlBytes(self.admission.encode_message(effect), to))
                case Count():
                    self.admission.check_counter(effect)
                    native.append(effect)
                case DropPacket() | HoldPacket():
                    pass  # the ending, which is the answer's outcome
                case _:
                    assert_never(effect)
        if of_streams:
            self._tell_streams(of_streams)
        return native

    def _tell_streams(self, effects: list[object]) -> None:
        self._undo.add(self._forget_streams, len(self.to_streams))
        self.to_streams.append(self._answer(Outcome.NONE, effects))

    def _forget_streams(self, length: int) -> None:
        del self.to_streams[length:]

    def _hold(self, effect: HoldPacket, event: PacketArrived, *, origin: int, times: int) -> bool:
        """Hold the packet; return whether there was room."""
        held, pushed_out = self._holds.add(
            event,
            effect.until,
            deadline_s=self.now_s + effect.timeout_s,
            times=times + 1,
            origin=origin,
        )
        has_room = held not in pushed_out
        self._undo.add(self._forget_pushed_out, len(self.pushed_out))
        self.pushed_out += [other for other in pushed_out if other is not held]
        return has_room

    def _forget_pushed_out(self, length: int) -> None:
        del self.pushed_out[length:]

    def _ask(self, query: Query, native: list[object]) -> None:
        """Ask the directory, unless packets wait for the answer already."""
        if not self._holds.is_waiting_for(query):
            native.append(ResolveBytes(self._encode(query)))

    def _answer(self, outcome: Outcome, native: list[object], reason: str = "") -> EncodedAnswer:
        return EncodedAnswer(outcome, reason, msgspec.Raw(self._encode(native)))


def _ending_of(others: list[Effect], *, is_sent: bool) -> _Ending | None:
    """Return the effect that decides the fate of a packet; there is one at most."""
    endings = [effect for effect in others if isinstance(effect, _ENDINGS)]
    if not endings and not is_sent:
        raise NoAnswerError("a packet needs SendPacket, PassPacket, HoldPacket or DropPacket")
    ending = endings[0] if endings else None
    if len(endings) > 1 or (is_sent and isinstance(ending, DropPacket | HoldPacket)):
        copies = "SendPacket, " if is_sent else ""
        raise AnsweredTwiceError(f"answers a packet twice: {copies}{shown(endings)}")
    return ending
