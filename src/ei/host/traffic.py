"""Numbered traffic of a host that runs as a daemon: who sends, who collects. For labs and demos."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from ei.errors import ConflictError, DeadlineError, LocalError, NotFoundError
from ei.host.numbered import Collected, Collector, encode_numbered

TICK_S = 0.001
BATCH = 64


class Sent(msgspec.Struct, frozen=True):
    """What was sent; `refused` found the pipe full."""

    sent: int
    refused: int
    elapsed_s: float


class Collectors:
    """The collectors of one host, by name.

    Args:
        group: Owns their tasks.
        now_ns: Reads the clock.
    """

    def __init__(self, group: asyncio.TaskGroup, now_ns: Callable[[], int]) -> None:
        self._group = group
        self._now_ns = now_ns
        self._running: dict[str, tuple[Collector, asyncio.Task[None]]] = {}

    def start(
        self, name: str, receive: Callable[[], Awaitable[bytes]], close: Callable[[], None]
    ) -> None:
        """Collect what `receive` returns, until `stop`.

        Raises:
            ConflictError: one of that name runs.
        """
        if name in self._running:
            close()
            raise ConflictError(f"a collector {name!r} runs already")
        collector = Collector()
        task = self._group.create_task(self._collect(collector, receive, close))
        self._running[name] = (collector, task)

    def read(self, name: str) -> Collected:
        """Return what a collector has.

        Raises:
            NotFoundError: none of that name runs.
        """
        return self._find(name)[0].statistics()

    def stop(self, name: str) -> Collected:
        """Stop a collector and return what it has; raises as `read`."""
        collector, task = self._find(name)
        del self._running[name]
        _ = task.cancel()
        return collector.statistics()

    def _find(self, name: str) -> tuple[Collector, asyncio.Task[None]]:
        if name not in self._running:
            known = ", ".join(self._running) or "none"
            raise NotFoundError(f"no collector {name!r}; there are: {known}")
        return self._running[name]

    async def _collect(
        self,
        collector: Collector,
        receive: Callable[[], Awaitable[bytes]],
        close: Callable[[], None],
    ) -> None:
        try:
            while True:
                try:
                    payload = await receive()
                except DeadlineError:
                    continue  # nothing came for a while; that is for the reader to judge
                except LocalError:
                    return  # the channel was closed
                collector.take(payload, self._now_ns())
        finally:
            close()


async def send_numbered(  # noqa: PLR0913 all that a load is made of
    send: Callable[[list[bytes]], int],
    *,
    first: int,
    count: int,
    rate_pps: float,
    length_bytes: int,
    now_ns: Callable[[], int],
) -> Sent:
    """Send numbered payloads at a steady rate.

    Args:
        send: Sends payloads and returns how many were taken.
        first: Number of the first one.
        rate_pps: Packets per second; 0 sends as fast as the pipe takes them.
        length_bytes: Of each payload, at least 16.
    """
    began_ns = now_ns()
    sent = refused = 0
    while sent + refused < count:
        at_ns = now_ns()
        due = count if rate_pps <= 0 else int((at_ns - began_ns) / 1e9 * rate_pps) + 1
        batch = range(sent + refused, min(count, due, sent + refused + BATCH))
        payloads = [encode_numbered(first + number, at_ns, length_bytes) for number in batch]
        taken = send(payloads) if payloads else 0
        sent += taken
        refused += len(payloads) - taken
        # Let what arrives be handled; between ticks the next ones become due.
        await asyncio.sleep(TICK_S if rate_pps > 0 and len(payloads) < BATCH else 0)
    return Sent(sent, refused, (now_ns() - began_ns) / 1e9)
