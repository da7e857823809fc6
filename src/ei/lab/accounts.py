"""What the nodes of a lab counted: law 6, and the copies that a stream of packets became."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from ei.errors import EiError
from ei.lab.lab import Lab

FAILURES = ("service_error", "no_answer", "cpu_exceeded", "effect_refused")
"""Drop reasons by which a service broke its contract, whatever the network did."""


class PeerCounters(msgspec.Struct, frozen=True):
    """Datagrams on one pipe of a node, those of the pipe itself included."""

    sent: int
    received: int


class NodeCounters(msgspec.Struct, frozen=True):
    """What is read of a datapath's statistics; see `ei._core.Datapath.statistics`.

    Attributes:
        sent: Copies of packets that left, without what pipes send by themselves.
        peers: By address in hex.
    """

    received: int
    forwarded: int
    delivered: int
    consumed: int
    missed: int
    sent: int
    dropped: dict[str, int]
    missed_dropped: dict[str, int]
    peers: dict[str, PeerCounters]

    @property
    def homeless(self) -> int:
        """Packets without a fate, or with two (law 6): 0."""
        fates = self.forwarded + self.delivered + self.consumed + self.missed
        return abs(self.received - fates - sum(self.dropped.values()))


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The three books of law 6; see `ei._core.Datapath.statistics`."""

    received: int
    forwarded: int
    delivered: int
    consumed: int
    missed: int
    answered: int
    passed: int
    waiting: int
    copies: int
    sent: int
    copies_ended: int
    copies_waiting: int
    dropped: dict[str, int]
    missed_dropped: dict[str, int]
    copies_dropped: dict[str, int]

    @property
    def imbalance(self) -> int:
        """Packets, misses and copies that have no fate, or two: 0 at any instant."""
        packets = self.forwarded + self.delivered + self.consumed + self.missed
        misses = self.answered + self.passed + self.waiting
        copies = self.sent + self.copies_ended + self.copies_waiting
        return (
            abs(self.received - packets - sum(self.dropped.values()))
            + abs(self.missed - misses - sum(self.missed_dropped.values()))
            + abs(self.copies - copies - sum(self.copies_dropped.values()))
        )


@dataclass(frozen=True, slots=True)
class Copies:
    """How often each packet of a stream was sent.

    Attributes:
        by_pipe: (node, address of its peer in hex) to copies, of pipes that carried the stream;
            a few datagrams of the pipes themselves are counted as well.
        per_pipe: The most that any node sent on average on those pipes: exact.
    """

    by_pipe: dict[tuple[str, str], float]
    per_pipe: float


def count_copies(
    before: Mapping[str, NodeCounters], after: Mapping[str, NodeCounters], *, packets: int
) -> Copies:
    """Compare the counters of all nodes before and after a stream of `packets`."""
    by_pipe: dict[tuple[str, str], float] = {}
    per_pipe: list[float] = [0.0]
    for node, now in after.items():
        then = before[node]
        crossed = {
            peer: (counted.sent - then.peers[peer].sent) / packets
            for peer, counted in now.peers.items()
            if peer in then.peers
        }
        # Heartbeats and joins are some packets; a stream that crosses is all of its packets.
        crossed = {peer: copies for peer, copies in crossed.items() if copies > 1 / 2}
        by_pipe |= {(node, peer): round(copies, 1) for peer, copies in crossed.items()}
        if crossed:
            per_pipe.append((now.sent - then.sent) / packets / len(crossed))
    return Copies(by_pipe, max(per_pipe))


async def counters_of(lab: Lab) -> dict[str, NodeCounters]:
    """Return the counters of all nodes that run."""
    return {name: read_counters(await lab.statistics(name)) for name in lab.topology.nodes}


async def failures_of(lab: Lab) -> Counter[str]:
    """Return how many packets services failed at, by reason, at all nodes that run."""
    failures: Counter[str] = Counter()
    for name in lab.topology.nodes:
        with suppress(EiError):  # killed by the scenario
            dropped = read_counters(await lab.statistics(name)).missed_dropped
            failures.update({word: dropped[word] for word in FAILURES if dropped.get(word)})
    return failures


def read_counters(statistics: Mapping[str, object]) -> NodeCounters:
    """Return the counters in what a datapath says of itself."""
    return msgspec.convert(statistics, NodeCounters, strict=False)
