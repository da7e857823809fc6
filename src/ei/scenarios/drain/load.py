"""The load of the scenario: messages at a steady rate, some with receipts, and a lasting stream."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise

from ei.errors import LocalError
from ei.host.channels import DatagramChannel
from ei.host.client import Host
from ei.host.streams import StreamListener
from ei.lab.lab import Lab
from ei.lab.load import ping_pairs
from ei.lab.seeds import derive

FLOW_PORT = 7
STREAM_PORT = 9
TICK_S = 0.01
LIMIT_ITEMS = 65_536
RECEIPT_EVERY = 50
"""One of so many messages asks for a receipt, which costs a decision at each node on its way."""
RECEIPT_S = 3.0
LAST_S = 0.5
"""What was sent last gets this long to arrive."""
STREAM_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much, and for how long.

    Attributes:
        rate_pps: Messages a second, of all pairs of hosts together.
        piece_bytes: Of the stream, in each tick.
        every_s: From one restart to the next.
        duration_s: Of it all.
    """

    rate_pps: int
    piece_bytes: int
    every_s: float
    duration_s: float


SIZES = {
    "simulation": Size(rate_pps=200, piece_bytes=2_000, every_s=5.0, duration_s=45.0),
    "processes": Size(rate_pps=5_000, piece_bytes=10_000, every_s=5.0, duration_s=180.0),
}


@dataclass(slots=True)
class Flow:
    """Messages from one host to another; times are those of the lab's clock.

    Attributes:
        sent: Accepted or not.
        refused: Not accepted by the host.
        outcomes: Of receipts.
        copies: Messages that came again.
    """

    sent: int = 0
    refused: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    numbers: set[int] = field(default_factory=set[int])
    times_s: list[float] = field(default_factory=list[float])
    copies: int = 0

    @property
    def lost(self) -> int:
        """Messages that were accepted, and never came."""
        return self.sent - self.refused - len(self.numbers)


@dataclass(slots=True)
class Seen:
    """What the load saw.

    Attributes:
        late_ms: How late this program came to send, at worst: its own gap is not the nodes'.
    """

    flows: list[Flow]
    stream_s: list[float] = field(default_factory=list[float])
    late_ms: float = 0.0
    sent_digest: str = ""
    received_digest: str = ""
    duration_s: float = 0.0

    @property
    def sent(self) -> int:
        """Messages of all flows."""
        return sum(flow.sent for flow in self.flows)

    @property
    def lost(self) -> int:
        """Those that never came."""
        return sum(flow.lost for flow in self.flows)

    @property
    def refused(self) -> int:
        """Those that their host did not accept."""
        return sum(flow.refused for flow in self.flows)

    @property
    def undelivered(self) -> int:
        """Receipts that say anything but delivered."""
        return sum(flow.outcomes.total() - flow.outcomes["delivered"] for flow in self.flows)

    @property
    def gap_ms(self) -> float:
        """The longest time in which one flow brought nothing."""
        return max((gap_ms(flow.times_s) for flow in self.flows), default=0.0)

    @property
    def rate_pps(self) -> float:
        """Messages a second that were sent."""
        return self.sent / self.duration_s if self.duration_s else 0.0


def gap_ms(times_s: Sequence[float]) -> float:
    """Return the longest time between one arrival and the next; 0 without any."""
    gaps = (after - before for before, after in pairwise(times_s))
    return round(max(gaps, default=0.0) * 1e3, 1)


async def load(
    lab: Lab,
    pairs: Sequence[tuple[str, str]],
    size: Size,
    *,
    meanwhile: Callable[[], Awaitable[object]],
) -> Seen:
    """Send between pairs of hosts, and a stream between the first, until `meanwhile` is done.

    Args:
        pairs: Each host receives in one of them.

    Raises:
        DeadlineError, StreamError: the stream did not arrive.
    """
    seen = Seen([Flow() for _ in pairs])
    is_over = asyncio.Event()
    # Sessions are open before there is a load: what waits for a handshake is bounded.
    _ = await ping_pairs(lab, pairs)
    with ExitStack() as open_ports:
        inboxes = {
            name: open_ports.enter_context(
                lab.host(name).datagrams(FLOW_PORT, limit_items=LIMIT_ITEMS)
            )
            for _, name in pairs
        }
        began_s = lab.now_s()
        async with asyncio.TaskGroup() as taking:
            for (_, to), flow in zip(pairs, seen.flows, strict=True):
                _ = taking.create_task(_take(lab, inboxes[to], flow))
            async with asyncio.TaskGroup() as group:
                for (source, to), flow in zip(pairs, seen.flows, strict=True):
                    ends = (lab.host(source), lab.host(to))
                    rate_pps = size.rate_pps / len(pairs)
                    _ = group.create_task(_run_flow(lab, ends, flow, rate_pps, is_over))
                _ = group.create_task(_watch(lab, seen, is_over))
                first = (lab.host(pairs[0][0]), lab.host(pairs[0][1]))
                _ = group.create_task(_run_stream(lab, first, size.piece_bytes, seen, is_over))
                _ = await meanwhile()
                seen.duration_s = lab.now_s() - began_s
                is_over.set()
            await lab.sleep(LAST_S)
            for inbox in inboxes.values():
                inbox.close()
    return seen


async def _run_flow(
    lab: Lab, ends: tuple[Host, Host], flow: Flow, rate_pps: float, is_over: asyncio.Event
) -> None:
    source, to = ends
    with source.datagrams() as outbox:
        async with asyncio.TaskGroup() as waiting:
            began_s = lab.now_s()
            while not is_over.is_set():
                # What is late is made up for.
                while flow.sent <= (lab.now_s() - began_s) * rate_pps:
                    data = flow.sent.to_bytes(4, "little")
                    if flow.sent % RECEIPT_EVERY == 0:
                        _ = waiting.create_task(_ask(outbox, to, flow, data))
                    elif not outbox.try_send(to.address, data, port=FLOW_PORT):
                        flow.refused += 1
                    flow.sent += 1
                await lab.sleep(TICK_S)


async def _watch(lab: Lab, seen: Seen, is_over: asyncio.Event) -> None:
    """Take note of how late this program is."""
    while not is_over.is_set():
        planned_s = lab.now_s() + TICK_S
        await lab.sleep(TICK_S)
        seen.late_ms = max(seen.late_ms, round((lab.now_s() - planned_s) * 1e3, 1))


async def _ask(outbox: DatagramChannel, to: Host, flow: Flow, data: bytes) -> None:
    receipt = await outbox.send(to.address, data, port=FLOW_PORT, deadline_s=RECEIPT_S)
    flow.outcomes[receipt.outcome] += 1


async def _take(lab: Lab, inbox: DatagramChannel, flow: Flow) -> None:
    try:
        while True:
            datagram = await inbox.receive(deadline_s=STREAM_LIMIT_S)
            number = int.from_bytes(datagram.data, "little")
            flow.copies += number in flow.numbers
            flow.numbers.add(number)
            flow.times_s.append(lab.now_s())
    except LocalError:
        return  # closed: the load is over


async def _run_stream(
    lab: Lab, ends: tuple[Host, Host], piece_bytes: int, seen: Seen, is_over: asyncio.Event
) -> None:
    source, to = ends
    with to.accept_streams(STREAM_PORT) as listener:
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(_read(lab, listener, seen))
            hasher = hashlib.sha256()
            noise = derive(lab.seed, "drain") * (piece_bytes // 32 + 1)
            stream = await source.open_stream(to.address, STREAM_PORT)
            number = 0
            while not is_over.is_set():
                # No piece is like another, so that none can be taken for its neighbour.
                piece = (number.to_bytes(4, "little") + noise)[:piece_bytes]
                hasher.update(piece)
                await stream.write(piece, deadline_s=STREAM_LIMIT_S)
                number += 1
                await lab.sleep(TICK_S)
            await stream.finish(deadline_s=STREAM_LIMIT_S)
            seen.sent_digest = hasher.hexdigest()


async def _read(lab: Lab, listener: StreamListener, seen: Seen) -> None:
    hasher = hashlib.sha256()
    stream = await listener.accept(deadline_s=STREAM_LIMIT_S)
    while piece := await stream.read(deadline_s=STREAM_LIMIT_S):
        seen.stream_s.append(lab.now_s())
        hasher.update(piece)
    seen.received_digest = hasher.hexdigest()
    await stream.finish()
