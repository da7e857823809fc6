"""Rates of a node between two looks at it."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import msgspec

from ei.cli.polling import poll
from ei.cli.targets import Target
from ei.node.admin import RunningStatus


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a node; `status` is `None` when it did not answer, and `trouble` says why."""

    name: str
    now_s: float
    status: RunningStatus | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a node did, per second, between two looks; zeros when it did not answer both.

    Attributes:
        megabits: Sent and received together, 10^6 bits.
        peers: Up and known, such as `3/4`.
        rtt_s: Longest smoothed round trip to a peer that is up.
    """

    name: str
    received: float = 0.0
    forwarded: float = 0.0
    missed: float = 0.0
    dropped: float = 0.0
    megabits: float = 0.0
    peers: str = ""
    rtt_s: float | None = None
    trouble: str = ""

    def content(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def look(targets: Iterable[Target]) -> dict[str, Sample]:
    """Return a sample of every node."""
    answers = poll(targets, "status")
    now_s = time.monotonic()
    return {
        polled.target.name: Sample(
            polled.target.name,
            now_s,
            None if polled.answer is None else msgspec.convert(polled.answer, RunningStatus),
            polled.trouble,
        )
        for polled in answers
    }


def rates_between(before: Sample | None, after: Sample) -> Rates:
    """Return what happened between two samples of one node."""
    if after.status is None:
        return Rates(after.name, trouble=after.trouble)
    node = after.status.node
    up = [peer for peer in node.peers if peer.is_up]
    shown = Rates(
        after.name,
        peers=f"{len(up)}/{len(node.peers)}",
        rtt_s=max((peer.rtt_s for peer in up if peer.rtt_s is not None), default=None),
    )
    if before is None or before.status is None:
        return shown
    # A node that was started again counts from zero: what it has is what it did since.
    old = before.status.node if before.status.pid == after.status.pid else None
    seconds = after.now_s - before.now_s

    def rate(new: float, past: float) -> float:
        return (new - past) / seconds

    return Rates(
        after.name,
        received=rate(node.received, old.received if old else 0),
        forwarded=rate(node.forwarded, old.forwarded if old else 0),
        missed=rate(node.missed, old.missed if old else 0),
        dropped=rate(sum(node.dropped.values()), sum(old.dropped.values()) if old else 0),
        megabits=rate(_bits(after), _bits(before) if old else 0) / 1e6,
        peers=shown.peers,
        rtt_s=shown.rtt_s,
    )


def _bits(sample: Sample) -> int:
    if sample.status is None:
        return 0
    return 8 * sum(peer.sent_bytes + peer.received_bytes for peer in sample.status.node.peers)
