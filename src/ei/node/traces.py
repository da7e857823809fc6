"""What a node remembers of traced packets, for whoever may ask."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from ei.node.datapath import Trace
from ei.records.addresses import format_address
from ei.records.record_set import RecordSet
from ei.sdk.manifest import Manifest

MAX_TRACES = 4_096
FORWARDED = "forwarded to "


class Module(msgspec.Struct, frozen=True):
    """A service that had a say."""

    number: int
    name: str
    version: str

    @property
    def title(self) -> str:
        """Name and version, such as `delivery@0.1.0`."""
        return f"{self.name}@{self.version}" if self.version else self.name


class TraceRecord(msgspec.Struct, frozen=True):
    """One step of what this node did with one packet.

    Attributes:
        now_ns: When it was done, on this node's monotonic clock.
        source: Address that the packet spoke for; `source_name` as in the records.
        service: Number that the packet named.
        how: `cached`, `decided`, `queued` or `dropped`.
        verdict: The word of a fate or reason, or `forwarded`.
        to: Name of the peer that got it; empty when nobody did.
        spent_ns: Nanoseconds since the packet came.
        modules: Services that had a say, or should have had, in order.
    """

    node: str
    now_ns: int
    source: str
    source_name: str
    service: int
    connection: int
    how: str
    verdict: str
    to: str
    spent_ns: int
    modules: tuple[Module, ...]


class Flow(NamedTuple):
    """What the packets of one connection have in common."""

    source: bytes
    service: int
    connection: int


class Passage(NamedTuple):
    """One packet's way through this node: what all its steps came to.

    Attributes:
        verdict: The word of a fate or reason; `forwarded` with `to`.
        to: Address of the peer that got it; empty when nobody did.
        numbers: Of the services that had a say, in order.
    """

    how: str
    verdict: str
    to: bytes
    spent_ns: int
    numbers: tuple[int, ...]


class Traces:
    """Keeps the newest 4,096 records of a node.

    `collect` is to be called now and then, also while nobody asks: what the datapath has recorded
    waits there, and all of it taken at once would be in memory twice.

    Args:
        node: Its name.
        manifests: Of its services by number, as they are when it is asked.
        take: Returns what the datapath has recorded since it was last called.
    """

    def __init__(
        self,
        node: str,
        manifests: Mapping[int, Manifest],
        *,
        take: Callable[[], Iterable[Trace]],
    ) -> None:
        self._node = node
        self._manifests = manifests
        self._take = take
        self._kept: deque[Trace] = deque()
        # Most flows are one packet: a deque has room for 64 from the start.
        self._flows: dict[Flow, list[Trace]] = {}

    def collect(self) -> None:
        """Take over what the datapath has recorded."""
        for trace in self._take():
            self._kept.append(trace)
            self._flows.setdefault(_flow(trace), []).append(trace)
            if len(self._kept) > MAX_TRACES:
                oldest = _flow(self._kept.popleft())
                _ = self._flows[oldest].pop(0)
                if not self._flows[oldest]:
                    del self._flows[oldest]

    def find(
        self, records: RecordSet, *, source: bytes | None = None, connection: int | None = None
    ) -> list[TraceRecord]:
        """Return the records of a source and a connection, oldest first; `None` is any."""
        self.collect()
        return [
            _name(trace, self._node, records, self.module)
            for trace in self._kept
            if (source is None or trace[1] == source)
            and (connection is None or trace[3] == connection)
        ]

    def newest(self, flow: Flow, *, ingress: bytes) -> Passage | None:
        """Return what became of the newest packet of a flow that came from `ingress`."""
        self.collect()
        came = [trace for trace in self._flows.get(flow, ()) if trace[8] == ingress]
        if not came:
            return None
        newest_ns = max(map(_arrived_ns, came))
        return _join([trace for trace in came if _arrived_ns(trace) == newest_ns])

    def module(self, number: int) -> Module:
        """Return who a service is that had a say."""
        manifest = self._manifests.get(number)
        if manifest is None:
            return Module(number, str(number), "")
        return Module(number, manifest.name, manifest.version)


def _flow(trace: Trace) -> Flow:
    return Flow(trace[1], trace[2], trace[3])


def _arrived_ns(trace: Trace) -> int:
    """When the packet came: the same in all its steps."""
    return trace[0] - trace[6]


def _join(steps: Sequence[Trace]) -> Passage:
    """Join the steps of one packet: all services, and what the last step came to."""
    _, _, _, _, how, verdict, spent_ns, _, _ = steps[-1]
    was_decided = how == "cached" and any(step[4] == "decided" for step in steps)
    to = b""
    if verdict.startswith(FORWARDED):
        to = bytes.fromhex(verdict.removeprefix(FORWARDED))
        verdict = "forwarded"
    # Who was asked is named in the step that waited and in that of its answer.
    numbers = tuple(number for number, _ in groupby(number for step in steps for number in step[7]))
    return Passage("decided" if was_decided else how, verdict, to, spent_ns, numbers)


def _name(
    trace: Trace, node: str, records: RecordSet, module: Callable[[int], Module]
) -> TraceRecord:
    now_ns, source, service, connection, how, verdict, spent_ns, services, _ = trace
    to = ""
    if verdict.startswith(FORWARDED):
        to = _peer(verdict.removeprefix(FORWARDED), records)
        verdict = "forwarded"
    return TraceRecord(
        node=node,
        now_ns=now_ns,
        source=format_address(source),
        source_name=records.name_of(source),
        service=service,
        connection=connection,
        how=how,
        verdict=verdict,
        to=to,
        spent_ns=spent_ns,
        modules=tuple(module(number) for number in services),
    )


def _peer(digits: str, records: RecordSet) -> str:
    try:
        return records.name_of(bytes.fromhex(digits))
    except ValueError:
        return digits
