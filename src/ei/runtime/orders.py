"""Carries out what a service asked for, as far as that is done here, and readies the rest.

Timers and holds are ours. All else goes to the datapath, in the order in which it was asked for.
"""

from typing import Never, assert_never

import msgspec

from ei.errors import ServiceError
from ei.runtime.admission import Admission
from ei.runtime.batches import Answer, Outcome, ResolveBytes, SendControlBytes
from ei.runtime.holds import Held, Holds
from ei.runtime.timers import MIN_AFTER_S, Timers
from ei.sdk import (
    CancelTimer,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    InstallDecision,
    Packet,
    PacketArrived,
    PassPacket,
    Query,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SetTimer,
)

_Ending = PassPacket | DropPacket | HoldPacket
_Other = (
    InstallDecision
    | RevokeDecisions
    | SendControl
    | SetTimer
    | CancelTimer
    | Resolve
    | Count
    | ReadTally
)


class NoAnswerError(ServiceError):
    """A packet was handled, but neither sent, passed, held nor dropped."""


class Orders:
    """Turns the effects of one event at a time into the answer that the datapath gets.

    Attributes:
        admission: Checks what is asked for.
        now_s: Time of the event.
        pushed_out: Held packets that the last event pushed out, its own excluded.
    """

    def __init__(self, admission: Admission, timers: Timers, holds: Holds) -> None:
        self.admission = admission
        self._timers = timers
        self._holds = holds
        self._encode = msgspec.msgpack.Encoder().encode
        self.now_s = 0.0
        self.pushed_out: list[Held] = []

    def of_packet(
        self, effects: tuple[Effect, ...], event: PacketArrived, *, origin: int, times: int
    ) -> Answer:
        """Carry out the effects of a packet, which must answer it.

        Raises:
            ServiceError: An effect is not allowed, or the packet is answered twice.
            NoAnswerError: It is not answered.
        """
        native, ending, is_sent = self._carry_out(effects, event.packet)
        if ending is None and not is_sent:
            raise NoAnswerError("a packet needs SendPacket, PassPacket, HoldPacket or DropPacket")
        if is_sent and isinstance(ending, DropPacket | HoldPacket):
            raise ServiceError(f"answers a packet twice: SendPacket, {ending!r:.200}")
        match ending:
            case None:
                return Answer(Outcome.ANSWERED, "", tuple(native))
            case PassPacket():
                self.admission.check_pass(ending, event.packet)
                return Answer(Outcome.PASSED, "", (*native, ending))
            case DropPacket(reason=reason):
                self.admission.check_reason(reason)
                return Answer(Outcome.DROPPED, reason, tuple(native))
            case HoldPacket():
                is_held = self._hold(ending, event, native, origin=origin, times=times)
                if is_held:
                    return Answer(Outcome.HELD, "", tuple(native))
                return Answer(Outcome.DROPPED, "hold_full", tuple(native))
            case _:
                assert_never(ending)

    def of_other(self, effects: tuple[Effect, ...]) -> Answer:
        """Carry out the effects of an event that is not a packet.

        Raises:
            ServiceError: An effect is not allowed.
        """
        if not effects:
            return NOTHING
        native, ending, _ = self._carry_out(effects, None)
        if ending is not None:
            raise ServiceError(f"{ending!r:.200}: there is no packet")
        return Answer(Outcome.NONE, "", tuple(native))

    # -- the parts ------------------------------------------------------------------------------

    def _carry_out(
        self, effects: tuple[Effect, ...], arrived: Packet | None
    ) -> tuple[list[object], _Ending | None, bool]:
        """Carry out all but the ending; return what goes on, the ending, whether some is sent."""
        self.admission.check_count_of_effects(effects)
        native: list[object] = []
        ending: _Ending | None = None
        is_sent = False
        for effect in effects:
            match effect:
                case SendPacket():
                    self.admission.check_send(effect, arrived)
                    native.append(effect)
                    is_sent = True
                case PassPacket() | DropPacket() | HoldPacket():
                    if ending is not None:
                        raise ServiceError(
                            f"answers a packet twice: {ending!r:.200}, {effect!r:.200}"
                        )
                    ending = effect
                case _:
                    self._order(effect, native)
        return native, ending, is_sent

    def _hold(
        self,
        effect: HoldPacket,
        event: PacketArrived,
        native: list[object],
        *,
        origin: int,
        times: int,
    ) -> bool:
        """Hold the packet, and ask what it waits for; return whether there was room."""
        self.admission.check_hold(effect)
        self._ask(effect.until, native)
        held, self.pushed_out = self._holds.add(
            event,
            effect.until,
            deadline_s=self.now_s + effect.timeout_s,
            times=times + 1,
            origin=origin,
        )
        if held not in self.pushed_out:
            return True
        self.pushed_out.remove(held)
        return False

    def _order(self, effect: _Other, native: list[object]) -> None:
        """Carry out or ready an effect that does not concern the packet of the event."""
        match effect:
            case InstallDecision() | RevokeDecisions() | Count() | ReadTally():
                self.admission.check_plain(effect)
                native.append(effect)
            case SendControl(to=to):
                native.append(SendControlBytes(self.admission.encode_message(effect), to))
            case SetTimer(key=key, after_s=after_s):
                self.admission.check_timer(effect)
                self._timers.set(key, self.now_s + max(after_s, MIN_AFTER_S))
            case CancelTimer(key=key):
                self._timers.cancel(key)
            case Resolve(query=query):
                self._ask(query, native)
            case _:
                _refuse(effect)

    def _ask(self, query: Query, native: list[object]) -> None:
        """Ask the directory, unless packets wait for the answer already."""
        if not self._holds.is_waiting_for(query):
            native.append(ResolveBytes(self._encode(query)))


NOTHING = Answer(Outcome.NONE, "", ())
"""The answer to an event that is not a packet and asks for nothing."""


def _refuse(effect: Never) -> Never:
    """Refuse what is no effect: modules are not type-checked before they run."""
    raise ServiceError(f"{effect!r:.200} is not an effect")
