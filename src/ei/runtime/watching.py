"""What the events of a worker cost and came to, told to who writes its service.

    worker ──socket of packets, never waited for──▶ node, which keeps the newest

Two messages for each batch, which is one event while there are few: one before, so that of a worker
that dies it is known over what, and one after. Who is not watched pays nothing for this.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping

import msgspec

from ei.runtime.batches import (
    ControlReceived,
    EncodedBatch,
    EventBatch,
    PeersMeasured,
    QueryResolved,
)
from ei.runtime.environment import Environment
from ei.runtime.faults import Fault, FaultLog
from ei.sdk import PacketArrived

MEMORY = "/proc/self/statm"
_DATA = 5
"""Its field with the pages of data and stack, which RLIMIT_DATA is held against."""

_NAMES: Mapping[type, str] = {ControlReceived: "ControlArrived", QueryResolved: "Resolved"}
TIMER = "TimerFired"


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """Events are being handled; `events` are their kinds, such as `PacketArrived`."""

    events: tuple[str, ...]


class Handled(msgspec.Struct, frozen=True, kw_only=True, tag="handled"):
    """Events were handled.

    Attributes:
        events: Their kinds.
        connections: Of the packets among them.
        cpu_ns: Of all together, with what the environment did for them.
        effects: That the node was asked for: packets, decisions, control messages, counts.
        dropped: Reasons, of packets that were dropped.
        faults: Events that came to nothing.
        memory_bytes: Of the process, as held against the limit of its tier.
        skipped: Messages before this one that nobody took.
    """

    events: tuple[str, ...]
    connections: tuple[int, ...]
    cpu_ns: int
    effects: int
    dropped: tuple[str, ...]
    faults: tuple[Fault, ...]
    memory_bytes: int
    skipped: int = 0


Told = Begun | Handled
TOLD: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)


class Watch:
    """The end of a worker. To be made while files can still be opened.

    Args:
        end: A socket of packets.
    """

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0)
        self._end = end
        self._memory = os.open(MEMORY, os.O_RDONLY | os.O_CLOEXEC)
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._skipped = 0

    def begin(self, events: tuple[str, ...]) -> None:
        """Tell what is being handled."""
        _ = self._tell(Begun(events))

    def end(self, told: Handled) -> None:
        """Tell what was handled."""
        if self._tell(msgspec.structs.replace(told, skipped=self._skipped)):
            self._skipped = 0

    def memory_bytes(self) -> int:
        """Return what the limit of memory is held against."""
        return int(os.pread(self._memory, 128, 0).split()[_DATA]) * self._page_bytes

    def _tell(self, told: Told) -> bool:
        try:
            return bool(self._end.send(msgspec.msgpack.encode(told)))
        except OSError:  # nobody takes it, or nobody is there
            self._skipped += 1
            return False


class Watched:
    """An environment that tells what its events cost and came to; else it is as any other."""

    def __init__(self, environment: Environment, watch: Watch) -> None:
        self._environment = environment
        self._watch = watch
        self._batches = msgspec.msgpack.Decoder(EventBatch)
        self._replies = msgspec.msgpack.Decoder(EncodedBatch)
        self._effects = msgspec.msgpack.Decoder(list[msgspec.Raw])
        self.take_strays = environment.take_strays
        self.next_deadline_s = environment.next_deadline_s
        self.is_due = environment.is_due

    @property
    def faults(self) -> FaultLog:
        """Events that came to nothing."""
        return self._environment.faults

    def deliver_batch(self, batch: bytes | memoryview, *, origin: int = 0) -> bytes:
        """Handle a batch; see `Environment.deliver_batch`."""
        items = self._batches.decode(batch).items
        events = [item for item in items if not isinstance(item, PeersMeasured)]
        if not events:
            return self._environment.deliver_batch(batch, origin=origin)
        reply = self._told(
            tuple(_NAMES.get(type(item), type(item).__name__) for item in events),
            tuple(item.packet.connection for item in events if isinstance(item, PacketArrived)),
            lambda: self._environment.deliver_batch(batch, origin=origin),
        )
        return reply or b""

    def fire_due(self, now_s: float, unix_s: float) -> bytes | None:
        """Fire what is due; see `Environment.fire_due`."""
        return self._told((TIMER,), (), lambda: self._environment.fire_due(now_s, unix_s))

    def _told(
        self,
        events: tuple[str, ...],
        connections: tuple[int, ...],
        act: Callable[[], bytes | None],
    ) -> bytes | None:
        self._watch.begin(events)
        before, began_ns = self.faults.total, time.thread_time_ns()
        reply = act()
        cpu_ns = time.thread_time_ns() - began_ns
        answers = self._replies.decode(reply).answers if reply else ()
        new = self.faults.total - before
        self._watch.end(
            Handled(
                events=events,
                connections=connections,
                cpu_ns=cpu_ns,
                effects=sum(len(self._effects.decode(each.effects)) for each in answers),
                dropped=tuple(each.reason for each in answers if each.reason),
                faults=tuple(self.faults.newest)[-new:] if new else (),
                memory_bytes=self._watch.memory_bytes(),
            )
        )
        return reply
