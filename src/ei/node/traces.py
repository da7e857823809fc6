"""What a node remembers of traced packets, for whoever asks."""

from collections import deque
from collections.abc import Iterable, Mapping

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

    @property
    def arrived_ns(self) -> int:
        """When the packet came: the same in all its records of this node."""
        return self.now_ns - self.spent_ns


class Traces:
    """Keeps the newest 4,096 records of a node.

    Args:
        node: Its name.
        manifests: Of its services.
    """

    def __init__(self, node: str, manifests: Iterable[Manifest]) -> None:
        self._node = node
        self._modules = {
            manifest.id: Module(manifest.id, manifest.name, manifest.version)
            for manifest in manifests
        }
        self._kept: deque[Trace] = deque(maxlen=MAX_TRACES)

    def add(self, traces: Iterable[Trace]) -> None:
        """Keep records that the datapath handed over."""
        self._kept.extend(traces)

    def find(
        self, records: RecordSet, *, source: bytes | None = None, connection: int | None = None
    ) -> list[TraceRecord]:
        """Return the records of a source and a connection, oldest first; `None` is any."""
        return [
            _name(trace, self._node, records, self._modules)
            for trace in self._kept
            if (source is None or trace[1] == source)
            and (connection is None or trace[3] == connection)
        ]


def _name(
    trace: Trace, node: str, records: RecordSet, modules: Mapping[int, Module]
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
        modules=tuple(modules.get(number, Module(number, str(number), "")) for number in services),
    )


def _peer(digits: str, records: RecordSet) -> str:
    try:
        return records.name_of(bytes.fromhex(digits))
    except ValueError:
        return digits
