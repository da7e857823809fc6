"""What a node says of itself: typed, from the counters of its datapath."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec.structs import asdict, fields, replace

from ei.node.draining import DrainStatus
from ei.node.peers import Peer
from ei.node.stream_status import StreamStatus, stream_status
from ei.records.addresses import format_address
from ei.records.expiry import Expiring
from ei.records.record_set import RecordSet
from ei.sdk.manifest import Manifest
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class Ages:
    """What has grown old, or ends soon; see `NodeStatus`."""

    stale: Mapping[str, float]
    held_peers: int
    expiring: tuple[Expiring, ...]


FRESH = Ages({}, 0, ())
EMPTY: Mapping[str, int] = {}
NOBODY: Mapping[Address, str] = {}


BATCH_BOUNDS_S = (5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)
"""Those of the datapath's `batch_seconds`; a last bucket has none."""


class ServiceCounts(msgspec.Struct, frozen=True):
    """One service as the datapath counts it.

    Attributes:
        missed: Packets.
        decisions: Cached now.
        queue_bytes, queue_limit_bytes: What waits for its worker, and may at most.
        events: Answered by its worker, in `batches`, which together took `batch_ns`; each of them
            up to a bound of `BATCH_BOUNDS_S`, or longer.
        failed: Events whose worker died, or whose effects were refused.
    """

    missed: int = 0
    queue_packets: int = 0
    queue_bytes: int = 0
    queue_limit_bytes: int = 0
    decisions: int = 0
    batches: int = 0
    events: int = 0
    failed: int = 0
    batch_ns: int = 0
    batch_seconds: tuple[int, ...] = ()
    dropped: dict[str, int] = {}
    counters: dict[str, int] = {}


class ServiceStatus(ServiceCounts, frozen=True, kw_only=True):
    """One service."""

    number: int
    name: str
    version: str


class PeerCounts(msgspec.Struct, frozen=True):
    """One peer as the datapath counts it. `rtt_s` is `None` while it is not known."""

    is_up: bool = False
    rtt_s: float | None = None
    endpoint: str | None = None
    sent: int = 0
    received: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    refused: int = 0


class PeerStatus(PeerCounts, frozen=True, kw_only=True):
    """One peer. `allow` is the line of node.toml that would let in its packets, if none does."""

    address: str
    name: str
    kind: Literal["node", "host"]
    allow: str = ""


class NodeCounts(msgspec.Struct, frozen=True):
    """A node as the datapath counts it.

    Attributes:
        received, forwarded, delivered, consumed, missed: Packets by fate; see law 6.
        dropped: Packets by reason.
        socket_overflows, thread_overflows, notice_overflows: Lost outside the fates; see
            `ei._core.Engine.statistics`.
        captured: Datagrams that AF_XDP took from a device, among all that were received.
        sent, received_bytes, sent_bytes: Packets and bytes on all pipes.
        copies_dropped: Copies of forwarded packets, by reason; law 6 counts them apart.
        handshakes: Of pipes, by what became of them.
    """

    received: int = 0
    forwarded: int = 0
    delivered: int = 0
    consumed: int = 0
    missed: int = 0
    dropped: dict[str, int] = {}
    socket_overflows: int = 0
    thread_overflows: int = 0
    notice_overflows: int = 0
    captured: int = 0
    sent: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    copies_dropped: dict[str, int] = {}
    handshakes: dict[str, int] = {}


class NodeStatus(NodeCounts, frozen=True, kw_only=True):
    """A node at one moment; drops of its services are among `dropped`.

    Attributes:
        refused_records: Record to the reason why it does not count.
        refused_messages: Messages for the node itself that came to nothing, by reason.
        stale_revocations: Domain to the age in seconds of its list of revoked keys, where that is
            more than `revocation_limit_s`.
        revocation_stale: Peers of those domains, whose pipes are down and may not open.
        expiring: What this node stands on that ends within 30 days, the soonest first.
        drain: How far it is with stopping; `None` where it does not.
        route_entries: Routes to other domains that are kept.
        streams: Of its services; `None` where none has any.
        record_expires_unix_s: When the node's own record ends; 0 when it is not known.
    """

    name: str
    address: str
    domain: str
    services: tuple[ServiceStatus, ...]
    peers: tuple[PeerStatus, ...]
    refused_records: dict[str, str]
    refused_messages: dict[str, int] = {}
    record_expires_unix_s: int = 0
    stale_revocations: dict[str, float] = {}
    revocation_stale: int = 0
    expiring: tuple[Expiring, ...] = ()
    drain: DrainStatus | None = None
    route_entries: int = 0
    streams: StreamStatus | None = None


class _Statistics(NodeCounts, frozen=True, kw_only=True):
    missed_dropped: dict[str, int] = {}
    services: dict[int, ServiceCounts] = {}
    peers: dict[str, PeerCounts] = {}
    streams: dict[str, object] | None = None


def node_status(  # noqa: PLR0913 a status joins what many know
    name: str,
    address: Address,
    *,
    statistics: Mapping[str, object],
    manifests: Iterable[Manifest],
    peers: Mapping[Address, Peer],
    records: RecordSet,
    refused_messages: Mapping[str, int] = EMPTY,
    ages: Ages = FRESH,
    drain: DrainStatus | None = None,
    refused_peers: Mapping[Address, str] = NOBODY,
    route_entries: int = 0,
    internet: tuple[str, ...] = (),
) -> NodeStatus:
    """Join the datapath's `statistics` with what the node knows about who is who."""
    manifests = tuple(manifests)
    counted = msgspec.convert(statistics, _Statistics)
    counts = {field.name: getattr(counted, field.name) for field in fields(NodeCounts)}
    counts["dropped"] = dict(Counter(counted.dropped) + Counter(counted.missed_dropped))
    own = records.nodes.get(address)
    return NodeStatus(
        **counts,
        name=name,
        address=format_address(address),
        domain=name.partition(".")[2],
        services=tuple(
            ServiceStatus(
                **asdict(counted.services.get(manifest.id, ServiceCounts())),
                number=manifest.id,
                name=manifest.name,
                version=manifest.version,
            )
            for manifest in manifests
        ),
        peers=tuple(
            PeerStatus(
                **asdict(_located(peer, counted.peers.get(host.hex(), PeerCounts()))),
                address=format_address(host),
                name=records.name_of(host),
                kind=peer.kind,
                allow=refused_peers.get(host, ""),
            )
            for host, peer in peers.items()
        ),
        refused_records={refusal.record: refusal.reason for refusal in records.refused},
        refused_messages=dict(refused_messages),
        record_expires_unix_s=0 if own is None else own.expires_unix_s,
        stale_revocations=dict(ages.stale),
        revocation_stale=ages.held_peers,
        expiring=ages.expiring,
        drain=drain,
        route_entries=route_entries,
        streams=None
        if counted.streams is None
        else stream_status(counted.streams, manifests=manifests, allow=internet),
    )


def _located(peer: Peer, counts: PeerCounts) -> PeerCounts:
    return replace(counts, endpoint=counts.endpoint or peer.endpoint)
