"""Delivery: a packet to a host, wherever it is attached.

The metadata is the address of the destination. A host that is attached here gets the packet on
its own pipe; for any other the directory says where it is attached, and the packet goes to the
first of those nodes that is up, or calls one of them, which does the same.

Decisions carry the next hop as their tag, refusals the destination: a pipe that comes up or goes
down ends just those that it makes wrong. All else heals when a decision's time is over.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Context,
    Effect,
    HoldPacket,
    Hop,
    Packet,
    PacketArrived,
    PeerChanged,
    Resolved,
    RevokeDecisions,
    Service,
    forward,
    refuse,
)

ADDRESS_BYTES = 16


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times, in seconds.

    Attributes:
        decision_s: How long a way is used before it is looked for again.
        refusal_s: How long packets are refused, or wait for a node that was called, before their
            destination is looked for again.
        hold_s: How long a packet waits for the directory.
    """

    decision_s: float
    refusal_s: float
    hold_s: float


class Delivery(Service[Config]):
    """Carries packets to the host that their metadata names."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Send on towards the destination, and let the datapath do so from now on."""
        packet = event.packet
        destination = Address(packet.metadata)
        if destination in ctx.peers:
            return send(packet, destination, ctx)
        if len(destination) != ADDRESS_BYTES:
            return refuse(packet, "bad_destination", ttl_s=ctx.config.decision_s)
        return send_abroad(packet, destination, ctx)

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew about a peer that came or went."""
        yield RevokeDecisions(tag=event.peer)

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Refuse a host no longer once the directory knows it."""
        if isinstance(event.record, Attachment):
            yield RevokeDecisions(tag=event.record.host)


def send(packet: Packet, hop: Address, ctx: Context[Config]) -> Iterable[Effect]:
    """Send to a peer."""
    return forward(packet, (Hop(hop),), ttl_s=ctx.config.decision_s, tag=hop)


def send_abroad(packet: Packet, destination: Address, ctx: Context[Config]) -> Iterable[Effect]:
    """Send to a node that the destination is attached to."""
    query = AttachmentOf(destination)
    if query not in ctx.records:
        return (HoldPacket(until=query, timeout_s=ctx.config.hold_s),)
    record = ctx.records[query]
    if not isinstance(record, Attachment):
        return refuse(packet, "unknown_destination", ttl_s=ctx.config.refusal_s, tag=destination)
    # This node has no pipe to the host, and the node before sent it here: neither again.
    nodes = [node for node in record.nodes if node not in (ctx.node, packet.ingress)]
    for node in nodes:
        if node in ctx.peers:
            return send(packet, node, ctx)
    if nodes:
        # Sending to a node calls it, and the packet waits for the pipe. Nobody knows which of
        # them answers, so the next try, soon, may be with another.
        node = ctx.random.choice(nodes)
        return forward(packet, (Hop(node),), ttl_s=ctx.config.refusal_s, tag=node)
    return refuse(packet, "host_unreachable", ttl_s=ctx.config.refusal_s, tag=destination)


SERVICE = Delivery
