"""Delivery: a packet to a host, wherever it is attached.

The metadata is a way: the address of the destination, and in time the node that it is attached to.
A host that is attached here gets the packet on its own pipe. For any other the directory says where
it is attached, and the packet goes to the first of those nodes that can be reached: at once in this
domain, else by the peer that the routing between domains leads to, which does the same.

Decisions carry their destination as tag, so that news of a host end what was decided without them.
A pipe that goes down takes what was decided to use it along, and so does a route that changes; all
else heals when a decision's time is over.
"""

from collections.abc import Iterable
from typing import cast

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
    Way,
    forward,
    read_way,
    refuse,
    towards,
    write_way,
)


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
        packet, ttl_s = event.packet, ctx.config.decision_s
        if packet.metadata in ctx.peers:
            # Of most ways there is nothing but a host of this node.
            host = cast("Address", packet.metadata)
            return forward(packet, (Hop(host),), ttl_s=ttl_s, tag=host)
        way = read_way(packet.metadata)
        if way is None:
            return refuse(packet, "bad_destination", ttl_s=ttl_s)
        if way.destination in ctx.peers:
            return send(packet, way.destination, Way(way.destination), ttl_s)
        # What had to be passed is passed here, and need not be once more.
        left = tuple(domain for domain in way.require if domain != ctx.domain)
        way = msgspec.structs.replace(way, require=left)
        if way.node in (None, ctx.node):
            return send_abroad(packet, way, ctx)
        return send_on(packet, way, (way.node,), ctx)

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew about a host that came or went."""
        yield RevokeDecisions(tag=event.peer)

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew about a host once the directory knows more of it."""
        if isinstance(event.record, Attachment):
            yield RevokeDecisions(tag=event.record.host)


def send(packet: Packet, hop: Address, way: Way, ttl_s: float) -> Iterable[Effect]:
    """Send to a peer, with what it needs to know of the way."""
    metadata = write_way(way)
    changed = None if metadata == packet.metadata else metadata
    return forward(packet, (Hop(hop, changed),), ttl_s=ttl_s, tag=way.destination)


def send_abroad(packet: Packet, way: Way, ctx: Context[Config]) -> Iterable[Effect]:
    """Send to a node that the destination is attached to."""
    query = AttachmentOf(way.destination)
    if query not in ctx.records:
        return (HoldPacket(until=query, timeout_s=ctx.config.hold_s),)
    record = ctx.records[query]
    if not isinstance(record, Attachment):
        return give_up(packet, "unknown_destination", way, ctx)
    # This node has no pipe to the host.
    return send_on(packet, way, [node for node in record.nodes if node != ctx.node], ctx)


def send_on(
    packet: Packet, way: Way, nodes: Iterable[Address], ctx: Context[Config]
) -> Iterable[Effect]:
    """Send to the peer that leads to the first of the nodes that can be reached."""
    # The node before sent it here: not back.
    found = towards(nodes, packet, ctx, way=way)
    if not isinstance(found, tuple):
        return (HoldPacket(until=found, timeout_s=ctx.config.hold_s),)
    if not found:
        return give_up(packet, "host_unreachable", way, ctx)
    # Sending to a node calls it, and the packet waits for the pipe. Nobody knows which of them
    # answers, so the next try, soon, may be with another.
    best = found[0] if found[0].is_up else ctx.random.choice(found)
    ttl_s = ctx.config.decision_s if best.is_up else ctx.config.refusal_s
    node = None if best.node == best.hop else best.node
    return send(packet, best.hop, msgspec.structs.replace(way, node=node), ttl_s)


def give_up(packet: Packet, reason: str, way: Way, ctx: Context[Config]) -> Iterable[Effect]:
    """Refuse for a while."""
    return refuse(packet, reason, ttl_s=ctx.config.refusal_s, tag=way.destination)


SERVICE = Delivery
