"""How much CPU time one event may take, in a worker and in simulation."""

from collections.abc import Callable

import msgspec


class CpuExceeded(BaseException):
    """The event took more CPU time than the manifest allows.

    Not an `Exception`, so that a handler's own `except Exception` does not swallow it.
    """


TICKS = 2
"""How many of the clock's periods make up what an event may take."""


class EventClock:
    """Says which event is being handled, and interrupts one that outlives its whole ticks.

    The worker calls `tick` from a timer of CPU time (`timer_create`) with half of the manifest's
    limit as its period: an event that two ticks have seen before has used the limit up. So a
    runaway is stopped after one to one and a half limits, and an event that behaves costs no
    system call.

    Attributes:
        event: Number of the event that is being handled; 0 between two.
        let_go: Called when what `tick` raised has come back from the handler.
        exceed: Called with the fault of an event that has taken more CPU time or memory than it
            may, before it is answered; it may raise, which ends the worker.
    """

    __slots__ = ("_seen", "_times", "event", "exceed", "let_go")

    def __init__(self) -> None:
        self.event = 0
        self.let_go: Callable[[], object] = _nothing
        self.exceed: Callable[[str], object] = _nothing
        self._seen = 0
        self._times = 0

    def tick(self) -> None:
        """Notice the event at hand.

        Raises:
            CpuExceeded: It was at hand at the last `TICKS` too. Raised into the handler.
        """
        if not self.event or self.event != self._seen:
            self._seen, self._times = self.event, 0
            return
        self._times += 1
        if self._times >= TICKS:
            raise CpuExceeded


def _nothing(_fault: str = "") -> None:
    pass


class VirtualCost(msgspec.Struct, frozen=True):
    """What an event costs in simulation, where CPU time must not depend on the machine.

    The figures are those of a worker on a 2-core machine, rounded.

    Attributes:
        event_s: For each event.
        effect_s: For each effect.
        change_s: For each change of a store, timer or hold.
    """

    event_s: float = 5e-6
    effect_s: float = 1e-6
    change_s: float = 2e-6

    def of(self, *, effects: int, changes: int) -> float:
        """Return the cost in seconds of one event."""
        return self.event_s + effects * self.effect_s + changes * self.change_s
