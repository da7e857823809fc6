"""What a node says of itself: typed, from the counters of its datapath."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from ei.node.draining import DrainStatus
from ei.node.peers import Peer
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


class ServiceStatus(msgspec.Struct, frozen=True):
    """One service. `missed` counts packets; `decisions` are those cached now."""

    number: int
    name: str
    version: str
    missed: int
    queue_packets: int
    decisions: int
    dropped: dict[str, int]
    counters: dict[str, int]


class PeerStatus(msgspec.Struct, frozen=True):
    """One peer. `rtt_s` is `None` while it is not known."""

    address: str
    name: str
    kind: Literal["node", "host"]
    is_up: bool
    rtt_s: float | None
    endpoint: str | None
    sent: int
    received: int
    sent_bytes: int
    received_bytes: int


class NodeStatus(msgspec.Struct, frozen=True):
    """A node at one moment.

    Attributes:
        received, forwarded, delivered, consumed, missed: Packets by fate; see law 6.
        dropped: Packets by reason, those of services included.
        socket_overflows, thread_overflows, notice_overflows: Lost outside the fates; see
            `ei._core.Engine.statistics`.
        sent, received_bytes, sent_bytes: Packets and bytes on all pipes.
        copies_dropped: Copies of forwarded packets, by reason; law 6 counts them apart.
        refused_records: Record to the reason why it does not count.
        stale_revocations: Domain to the age in seconds of its list of revoked keys, where that is
            more than `revocation_limit_s`.
        revocation_stale: Peers of those domains, whose pipes are down and may not open.
        expiring: What this node stands on that ends within 30 days, the soonest first.
        drain: How far it is with stopping; `None` where it does not.
        record_expires_unix_s: When the node's own record ends; 0 when it is not known.
    """

    name: str
    address: str
    domain: str
    received: int
    forwarded: int
    delivered: int
    consumed: int
    missed: int
    dropped: dict[str, int]
    services: tuple[ServiceStatus, ...]
    peers: tuple[PeerStatus, ...]
    refused_records: dict[str, str]
    socket_overflows: int = 0
    thread_overflows: int = 0
    notice_overflows: int = 0
    sent: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    copies_dropped: dict[str, int] = {}
    record_expires_unix_s: int = 0
    stale_revocations: dict[str, float] = {}
    revocation_stale: int = 0
    expiring: tuple[Expiring, ...] = ()
    drain: DrainStatus | None = None


class _ServiceCounts(msgspec.Struct, frozen=True):
    missed: int = 0
    queue_packets: int = 0
    decisions: int = 0
    dropped: dict[str, int] = {}
    counters: dict[str, int] = {}


class _PeerCounts(msgspec.Struct, frozen=True):
    is_up: bool = False
    rtt_s: float | None = None
    endpoint: str | None = None
    sent: int = 0
    received: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


class _Statistics(msgspec.Struct, frozen=True):
    received: int = 0
    forwarded: int = 0
    delivered: int = 0
    consumed: int = 0
    missed: int = 0
    dropped: dict[str, int] = {}
    missed_dropped: dict[str, int] = {}
    socket_overflows: int = 0
    thread_overflows: int = 0
    notice_overflows: int = 0
    sent: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    copies_dropped: dict[str, int] = {}
    services: dict[int, _ServiceCounts] = {}
    peers: dict[str, _PeerCounts] = {}


def node_status(  # noqa: PLR0913 a status joins what many know
    name: str,
    address: Address,
    *,
    statistics: Mapping[str, object],
    manifests: Iterable[Manifest],
    peers: Mapping[Address, Peer],
    records: RecordSet,
    ages: Ages = FRESH,
    drain: DrainStatus | None = None,
) -> NodeStatus:
    """Join the datapath's `statistics` with what the node knows about who is who."""
    counted = msgspec.convert(statistics, _Statistics)
    dropped = dict(counted.dropped)
    for reason, packets in counted.missed_dropped.items():
        dropped[reason] = dropped.get(reason, 0) + packets
    own = records.nodes.get(address)
    return NodeStatus(
        name=name,
        address=format_address(address),
        domain=name.partition(".")[2],
        received=counted.received,
        forwarded=counted.forwarded,
        delivered=counted.delivered,
        consumed=counted.consumed,
        missed=counted.missed,
        dropped=dropped,
        services=tuple(
            _service(manifest, counted.services.get(manifest.id, _ServiceCounts()))
            for manifest in manifests
        ),
        peers=tuple(
            _peer(host, records.name_of(host), peer, counted.peers.get(host.hex(), _PeerCounts()))
            for host, peer in peers.items()
        ),
        refused_records={refusal.record: refusal.reason for refusal in records.refused},
        socket_overflows=counted.socket_overflows,
        thread_overflows=counted.thread_overflows,
        notice_overflows=counted.notice_overflows,
        sent=counted.sent,
        received_bytes=counted.received_bytes,
        sent_bytes=counted.sent_bytes,
        copies_dropped=counted.copies_dropped,
        record_expires_unix_s=0 if own is None else own.expires_unix_s,
        stale_revocations=dict(ages.stale),
        revocation_stale=ages.held_peers,
        expiring=ages.expiring,
        drain=drain,
    )


def _service(manifest: Manifest, counts: _ServiceCounts) -> ServiceStatus:
    return ServiceStatus(
        number=manifest.id,
        name=manifest.name,
        version=manifest.version,
        missed=counts.missed,
        queue_packets=counts.queue_packets,
        decisions=counts.decisions,
        dropped=counts.dropped,
        counters=counts.counters,
    )


def _peer(address: Address, name: str, peer: Peer, counts: _PeerCounts) -> PeerStatus:
    return PeerStatus(
        address=format_address(address),
        name=name,
        kind=peer.kind,
        is_up=counts.is_up,
        rtt_s=counts.rtt_s,
        endpoint=counts.endpoint or peer.endpoint,
        sent=counts.sent,
        received=counts.received,
        sent_bytes=counts.sent_bytes,
        received_bytes=counts.received_bytes,
    )
