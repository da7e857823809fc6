"""One instance of a service: runs one event as one transaction."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, assert_never

import msgspec

from ei.runtime.admission import MAX_EFFECTS
from ei.runtime.batches import AnyAnswer, EncodedAnswer, Outcome
from ei.runtime.faults import Fault, FaultLog
from ei.runtime.limits import CpuExceeded, EventClock, VirtualCost
from ei.runtime.loader import LoadedService
from ei.runtime.orders import NO_EFFECTS, NoAnswerError, Orders
from ei.runtime.randomness import EventRandomness
from ei.runtime.undo import UndoLog
from ei.sdk import (
    Context,
    ControlArrived,
    Count,
    Effect,
    Event,
    NotKept,
    PacketArrived,
    PeerChanged,
    Resolved,
    Service,
    Started,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    TallyRead,
    TimerFired,
)

_Other = (
    ControlArrived
    | TimerFired
    | PeerChanged
    | Resolved
    | TallyRead
    | NotKept
    | Started
    | StreamEvent
)
_OpenStream = StreamOpened | StreamData | StreamWritable
Trace = tuple[tuple[Effect, ...], Fault | None, BaseException | None]


class Instance:
    """A service and its limits. All that an event changes goes through `undo`.

    Attributes:
        number: How many events it handled.
        randomness: Of the event that is being handled.
        clock: Tells the worker which event is being handled.
        faults: Events that came to nothing.
        trail: When it is a list, what each event came to is added: the effects as the service
            yielded them, and its fault with the error behind it.
        cost_s: Virtual CPU time spent so far, in simulation.
    """

    def __init__(
        self,
        loaded: LoadedService,
        *,
        undo: UndoLog,
        orders: Orders,
        seed: bytes,
        cost: VirtualCost | None = None,
    ) -> None:
        self._service: Service[Any] = loaded.service()
        self._undo = undo
        self._orders = orders
        self._cost = cost
        self._limit_s = loaded.manifest.handler_ms / 1_000
        self.number = 0
        self.randomness = EventRandomness(seed)
        self.clock = EventClock()
        self.faults = FaultLog(loaded.folder)
        self.trail: list[Trace] | None = None
        self.cost_s = 0.0

    def run(
        self, event: Event, context: Context[Any], origin: int = 0, times: int = 0
    ) -> AnyAnswer:
        """Handle one event: all of it happens, or nothing.

        Args:
            event: Any.
            context: What the handler may read.
            origin: Of a packet: which datapath thread waits for the answer.
            times: Of a packet: how often it was held before.
        """
        self.number += 1
        mark = len(self._undo.steps)
        self.randomness.event = self.clock.event = self.number
        try:
            if isinstance(event, PacketArrived):
                asked = self._service.on_packet(event, context)
                effects = asked if isinstance(asked, tuple) else _taken(asked)
                answer = self._orders.of_packet(effects, event, origin, times)
            else:
                effects = _taken(self._handle(event, context))
                answer = self._orders.of_other(effects)
            if self._cost is not None:
                self._spend(self._cost, len(effects), mark)
            self.clock.event = 0
        except (Exception, CpuExceeded) as error:
            self.clock.event = 0
            if isinstance(error, CpuExceeded):
                _ = self.clock.let_go()
            self._undo.undo_to(mark)
            return self._fail(event, error)
        if self.trail is not None:
            self.trail.append((effects, None, None))
        return answer

    def renew(self, loaded: LoadedService) -> None:
        """Put a new instance of the service in the place of the old, between two events."""
        self._service = loaded.service()

    # -- the parts ------------------------------------------------------------------------------

    def _handle(  # noqa: C901, PLR0911 one case for each event
        self, event: _Other, context: Context[Any]
    ) -> Iterable[Effect]:
        match event:
            case ControlArrived():
                return self._service.on_control(event, context)
            case TimerFired():
                return self._service.on_timer(event, context)
            case PeerChanged():
                return self._service.on_peer(event, context)
            case Resolved():
                return self._service.on_resolved(event, context)
            case TallyRead():
                return self._service.on_tally(event, context)
            case NotKept():
                return self._service.on_not_kept(event, context)
            case StreamOpened() | StreamData() | StreamWritable() | StreamClosed():
                self._count(event)
                return self._service.on_stream(event, context)
            case Started():
                return self._service.on_start(event, context)
            case _:
                assert_never(event)

    def _count(self, event: StreamEvent) -> None:
        """Count the streams that there are.

        Raises:
            ServiceError: One more than may be.
        """
        if isinstance(event, StreamOpened):
            self._orders.streams.open(event.stream)
        elif isinstance(event, StreamClosed):
            self._orders.streams.close(event.stream)

    def _spend(self, cost: VirtualCost, effects: int, mark: int) -> None:
        spent_s = cost.of(effects=effects, changes=len(self._undo.steps) - mark)
        self.cost_s += spent_s
        if spent_s > self._limit_s:
            raise CpuExceeded

    def _fail(self, event: Event, error: BaseException) -> EncodedAnswer:
        word = _word_of(error)
        fault = self.faults.add(word, event, error)
        if isinstance(error, CpuExceeded | MemoryError):
            _ = self.clock.exceed(str(fault))
        if self.trail is not None:
            self.trail.append(((), fault, error))
        if isinstance(event, PacketArrived):
            return EncodedAnswer(Outcome.DROPPED, word, NO_EFFECTS)
        if isinstance(event, _OpenStream):
            self._orders.close_stream(event.stream)
        return counted(word)


def _taken(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """Take what a handler returned or yields; of effects without end, enough to be too many."""
    return tuple(islice(effects, MAX_EFFECTS + 1))


def counted(word: str) -> EncodedAnswer:
    """Return the answer of an event that is no packet and came to nothing: it is counted."""
    return EncodedAnswer(Outcome.NONE, "", msgspec.Raw(msgspec.msgpack.encode((Count(word),))))


def _word_of(error: BaseException) -> str:
    match error:
        case CpuExceeded():
            return "cpu_exceeded"
        case NoAnswerError():
            return "no_answer"
        case _:
            return "service_error"
