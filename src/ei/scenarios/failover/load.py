"""The load of the scenario: a stream and a flow of messages with receipts, between two hosts."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise

from ei.errors import LocalError
from ei.host.channels import DatagramChannel
from ei.host.client import Host
from ei.host.streams import StreamListener
from ei.host.verdicts import Receipt
from ei.lab.lab import Lab
from ei.lab.seeds import SEED_LIMIT, derive, derive_number

FLOW_PORT = 7
STREAM_PORT = 9
RATE_PPS = 200
TICK_S = 1 / RATE_PPS
RECEIPT_S = 2.0
STREAM_LIMIT_S = 120.0
BEFORE_S = 1.0
"""Of load before the fault; up to a tenth of a second more, by the seed."""
AFTER_S = 1.5
"""Of the flow after the fault, at least."""


@dataclass(frozen=True, slots=True)
class Size:
    """A stream of `count` pieces, with a pause after each."""

    piece_bytes: int
    count: int
    pause_s: float


VIRTUAL = Size(piece_bytes=10_000, count=200, pause_s=0.012)
"""In virtual time nothing else would make a stream last: pauses do."""
REAL = Size(piece_bytes=1_000_000, count=200, pause_s=0.0)


@dataclass(slots=True)
class Seen:
    """What one pair of hosts saw; times are those of the lab's clock.

    Attributes:
        late_ms: For how long this program, in which the hosts live, was kept from running at most.
    """

    fault_s: float = 0.0
    late_ms: float = 0.0
    flow_s: list[float] = field(default_factory=list[float])
    numbers: set[int] = field(default_factory=set[int])
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    stream_s: list[float] = field(default_factory=list[float])
    sent_digest: str = ""
    received_digest: str = ""

    @property
    def flow_gap_ms(self) -> float:
        """The longest time in which no message of the flow arrived."""
        return gap_ms(self.flow_s)

    @property
    def stream_gap_ms(self) -> float:
        """The longest time in which no byte of the stream arrived."""
        return gap_ms(self.stream_s)

    @property
    def is_loaded(self) -> bool:
        """Whether flow and stream ran before and after the fault."""
        return all(
            bool(times) and times[0] < self.fault_s < times[-1]
            for times in (self.flow_s, self.stream_s)
        )

    @property
    def delivered(self) -> int:
        """Messages that a receipt calls delivered."""
        return len(self._claimed())

    @property
    def lost(self) -> int:
        """Messages that a receipt calls delivered, and that never came."""
        return len(self._claimed() - self.numbers)

    def _claimed(self) -> set[int]:
        return {n for n, each in enumerate(self.receipts) if each.outcome == "delivered"}


def gap_ms(times_s: list[float]) -> float:
    """Return the longest time between one arrival and the next; 0 without any."""
    gaps = (after - before for before, after in pairwise(times_s))
    return round(max(gaps, default=0.0) * 1e3, 1)


async def load(lab: Lab, source: Host, to: Host, *, fault: Callable[[], Awaitable[object]]) -> Seen:
    """Run stream and flow from one host to another; `fault` comes a second after they began.

    Raises:
        DeadlineError, StreamError: the stream did not arrive.
    """
    seen = Seen()
    with (
        source.datagrams() as outbox,
        to.datagrams(FLOW_PORT) as inbox,
        to.accept_streams(STREAM_PORT) as listener,
    ):
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(_take_flow(lab, inbox, seen))
            reading = group.create_task(_read_stream(lab, listener, seen))
            _ = group.create_task(_write_stream(lab, source, to, seen))
            receipts: list[asyncio.Task[Receipt]] = []

            def send(number: int) -> None:
                data = number.to_bytes(4, "little")
                receipt = outbox.send(to.address, data, port=FLOW_PORT, deadline_s=RECEIPT_S)
                receipts.append(group.create_task(receipt))

            sending = group.create_task(_repeat(lab, send, seen))
            # Against the heartbeats, every seed has its own moment.
            share = derive_number(lab.seed, "failover", to.name) / SEED_LIMIT
            await lab.sleep(BEFORE_S + share / 10)
            seen.fault_s = lab.now_s()
            _ = await fault()
            await lab.sleep(AFTER_S)
            await reading
            _ = sending.cancel()
            seen.receipts = [await receipt for receipt in receipts]
            inbox.close()
            await taking
    return seen


async def _repeat(lab: Lab, send: Callable[[int], object], seen: Seen) -> None:
    """Call `send` with 0, 1, 2 and so on at a steady rate; what is late is made up for."""
    began_s = lab.now_s()
    number = 0
    while True:
        while number <= (lab.now_s() - began_s) * RATE_PPS:
            _ = send(number)
            number += 1
        slept_s = lab.now_s()
        await lab.sleep(TICK_S)
        seen.late_ms = max(seen.late_ms, (lab.now_s() - slept_s - TICK_S) * 1e3)


async def _take_flow(lab: Lab, inbox: DatagramChannel, seen: Seen) -> None:
    try:
        while True:
            datagram = await inbox.receive(deadline_s=STREAM_LIMIT_S)
            seen.flow_s.append(lab.now_s())
            seen.numbers.add(int.from_bytes(datagram.data, "little"))
    except LocalError:
        return  # closed: the load is over


async def _write_stream(lab: Lab, source: Host, to: Host, seen: Seen) -> None:
    size = VIRTUAL if lab.backend == "simulation" else REAL
    noise = derive(lab.seed, "failover") * (size.piece_bytes // 32 + 1)
    hasher = hashlib.sha256()
    stream = await source.open_stream(to.address, STREAM_PORT)
    for number in range(size.count):
        # No piece is like another, so that none can be taken for its neighbour.
        piece = (number.to_bytes(4, "little") + noise)[: size.piece_bytes]
        hasher.update(piece)
        await stream.write(piece, deadline_s=STREAM_LIMIT_S)
        await lab.sleep(size.pause_s)
    await stream.finish(deadline_s=STREAM_LIMIT_S)
    seen.sent_digest = hasher.hexdigest()


async def _read_stream(lab: Lab, listener: StreamListener, seen: Seen) -> None:
    hasher = hashlib.sha256()
    stream = await listener.accept()
    while piece := await stream.read(deadline_s=STREAM_LIMIT_S):
        seen.stream_s.append(lab.now_s())
        hasher.update(piece)
    seen.received_digest = hasher.hexdigest()
    await stream.finish()
