"""Reach: packets of a service that is not here go to the nearest node that runs it, and back.

The datapath asks this service about packets whose own service it does not have. It reads nothing of
them: the routing says which peers lead to a node with the service. What comes from there belongs to
the same connection, so it goes to the connection's source, as the directory says.
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
    Query,
    Resolved,
    RevokeDecisions,
    Route,
    Service,
    ServiceAt,
    forward,
    refuse,
    towards,
)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times, in seconds.

    Attributes:
        decision_s: How long a way is used before it is looked for again.
        refusal_s: How long packets are refused before one asks again.
        hold_s: How long a packet waits for an answer.
    """

    decision_s: float
    refusal_s: float
    hold_s: float


class Reach(Service[Config]):
    """Carries packets between hosts and services that are not here."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Send on towards the service, or back to the source what comes from there."""
        packet = event.packet
        query = ServiceAt(packet.service)
        if query not in ctx.records:
            return hold(query, ctx)
        route = ctx.records[query]
        if not isinstance(route, Route):
            return refuse(packet, "no_such_service", ttl_s=ctx.config.refusal_s)
        if packet.ingress in route.hops:
            return send_back(packet, ctx)
        up = [hop for hop in route.hops if hop in ctx.peers]
        return send(packet, up[0] if up else ctx.random.choice(route.hops), ctx)

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew about a host that came or went."""
        yield RevokeDecisions(tag=event.peer)

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew once the directory knows more of a host."""
        if isinstance(event.record, Attachment):
            yield RevokeDecisions(tag=event.record.host)


def send_back(packet: Packet, ctx: Context[Config]) -> Iterable[Effect]:
    """Send to the source: what comes from the service answers it."""
    if packet.source in ctx.peers:
        return send(packet, packet.source, ctx)
    query = AttachmentOf(packet.source)
    if query not in ctx.records:
        return hold(query, ctx)
    record = ctx.records[query]
    if not isinstance(record, Attachment):
        return give_up(packet, "unknown_destination", ctx)
    nodes = [node for node in record.nodes if node != ctx.node]
    found = towards(nodes, packet, ctx)
    if not isinstance(found, tuple):
        return hold(found, ctx)
    if not found:
        return give_up(packet, "host_unreachable", ctx)
    return send(packet, found[0].hop, ctx)


def hold(query: Query, ctx: Context[Config]) -> Iterable[Effect]:
    """Let the packet wait for an answer."""
    return (HoldPacket(until=query, timeout_s=ctx.config.hold_s),)


def send(packet: Packet, hop: Address, ctx: Context[Config]) -> Iterable[Effect]:
    """Send as it is; a peer that is not up is called, and may not answer."""
    ttl_s = ctx.config.decision_s if hop in ctx.peers else ctx.config.refusal_s
    return forward(packet, (Hop(hop),), ttl_s=ttl_s, tag=packet.source)


def give_up(packet: Packet, reason: str, ctx: Context[Config]) -> Iterable[Effect]:
    """Refuse for a while."""
    return refuse(packet, reason, ttl_s=ctx.config.refusal_s, tag=packet.source)


SERVICE = Reach
