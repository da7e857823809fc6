"""Keeps a stack going on an event loop: takes what arrives, does what is due, sends what waits.

The stack decides; this only calls it at the right moments.
"""

import asyncio
from collections.abc import Callable

from ei.host.events import HostEvent
from ei.host.stack import Stack
from ei.host.transport import Transport

FEW_DATAGRAMS = 16
"""Less than that was all there was: to look again at once would double what one packet costs."""
MAX_BATCHES = 16
"""Batches of datagrams taken before the rest of the program gets its turn."""
NS_PER_S = 1_000_000_000


class Driver:
    """Drives `stack` on `transport` from `open` to `close`.

    Args:
        on_event: Gets each event of the stack, in order; it must not block.
    """

    def __init__(
        self, stack: Stack, transport: Transport, on_event: Callable[[HostEvent], None]
    ) -> None:
        self._stack = stack
        self._transport = transport
        self._on_event = on_event
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._flush: asyncio.Handle | None = None

    @property
    def is_open(self) -> bool:
        """Whether it drives now."""
        return self._loop is not None

    def now_ns(self) -> int:
        """Monotonic time."""
        return self._transport.now_ns()

    def open(self) -> None:
        """Start on the running loop: the stack calls its nodes."""
        self._loop = asyncio.get_running_loop()
        self._transport.open(self._stack.datapath, self._on_received)
        self._stack.start(self.now_ns(), self._transport.endpoint)
        self._settle()

    def close(self) -> None:
        """Say what is left to say, and stop. Idempotent."""
        if self._loop is not None:
            self._stack.send_streams(self.now_ns())
            self._stack.leave(self.now_ns())
            _ = self._transport.flush(self._stack.datapath)
        for handle in (self._timer, self._flush):
            if handle is not None:
                handle.cancel()
        self._timer = self._flush = None
        self._loop = None
        self._transport.close()

    def touched(self) -> None:
        """The caller gave the stack something to do: send it at the end of this turn of the loop.

        Many datagrams sent in a row leave together, in trains.
        """
        if self._flush is None and self._loop is not None:
            self._flush = self._loop.call_soon(self._on_touched)

    def _on_touched(self) -> None:
        self._flush = None
        self._stack.send_streams(self.now_ns())
        self._settle()

    def _on_received(self) -> None:
        now_ns = self.now_ns()
        for _ in range(MAX_BATCHES):
            received = self._transport.receive(self._stack.datapath, now_ns)
            self._stack.process(now_ns)
            if received < FEW_DATAGRAMS:
                break
            # Answers leave between batches, so that windows of streams stay open.
            _ = self._transport.flush(self._stack.datapath)
        self._settle()

    def _on_timer(self) -> None:
        self._timer = None
        self._stack.poll(self.now_ns())
        self._settle()

    def _settle(self) -> None:
        for event in self._stack.take_events():
            self._on_event(event)
        _ = self._transport.flush(self._stack.datapath)
        self._arm()

    def _arm(self) -> None:
        if self._loop is None:
            return
        deadline_ns = self._stack.next_deadline_ns()
        if self._timer is not None:
            if deadline_ns == self._timer_ns:
                return
            self._timer.cancel()
            self._timer = None
        if deadline_ns is not None:
            self._timer_ns = deadline_ns
            self._timer = self._loop.call_at(deadline_ns / NS_PER_S, self._on_timer)
