"""How many copies of a packet crossed each pipe: on the wire in simulation, else as nodes count."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ei.dissector.capture import read_capture
from ei.lab.accounts import count_copies, counters_of
from ei.lab.lab import Lab

LONG_BYTES = 1_000
"""Datagrams at least as long carry the packets that are counted; all else is shorter."""


@dataclass(slots=True)
class Crossings:
    """What crossed.

    Attributes:
        most, least: Copies of a packet on a pipe that carried any.
        pipes: How many did.
    """

    most: float = 0.0
    least: float = 0.0
    pipes: int = 0


@asynccontextmanager
async def count(lab: Lab, packets: int, *, sent: Callable[[], int]) -> AsyncGenerator[Crossings]:
    """Count the copies of so many packets, each of 1,000 bytes and more, sent meanwhile.

    Args:
        sent: Returns how many packets the sender has sent, short ones included: nodes count those,
            too.
    """
    crossings = Crossings()
    if lab.backend == "simulation":
        with TemporaryDirectory() as folder:
            path = Path(folder) / "copies.pcapng"
            with lab.capture(path):
                yield crossings
            pairs = Counter(
                (each.source, each.destination)
                for each in read_capture(path)
                if len(each.datagram) >= LONG_BYTES
            )
        crossings.most = max(pairs.values(), default=0) / packets
        crossings.least = min(pairs.values(), default=0) / packets
        crossings.pipes = len(pairs)
        return
    before, already = await counters_of(lab), sent()
    yield crossings
    copies = count_copies(before, await counters_of(lab), packets=sent() - already)
    crossings.most = crossings.least = copies.per_pipe
    # Nodes do not count what they get from hosts by packet: the sender's own pipe.
    crossings.pipes = len(copies.by_pipe) + 1
