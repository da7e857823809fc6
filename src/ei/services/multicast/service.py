"""Multicast: one packet in, a copy to every member of the group, and never two on one pipe.

    alice ── A ──up──> R ──down──> B ── bob         A, B: nodes with members or senders
                       └───down──> C ─┬ carol       R: the group's rendezvous, from its record
                                      └ dave

Hosts tell their node which groups they belong to (`Join`), which the group's record must allow, as
it must allow who sends; a node with members tells each
rendezvous of the group (`Graft`). The sender's node sends one copy to each member of its own and
one *up* to the first rendezvous that can be reached; that one sends one copy *down* to every node
with members, which copies to its members alone. A copy never goes back to where it came from, and
since packets up and down are marked, no node copies what another one copies already.

The metadata is the group's address of 16 bytes, between nodes followed by the mark. Memberships
are soft state: repeated, or forgotten. Losing the ephemeral store heals within `refresh_s`.
Decisions carry the group as their tag, and end with any change of it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from ei.sdk import (
    Address,
    CancelTimer,
    Context,
    ControlArrived,
    Count,
    Effect,
    Group,
    GroupOf,
    HoldPacket,
    Hop,
    Packet,
    PacketArrived,
    PeerChanged,
    Resolve,
    Resolved,
    RevokeDecisions,
    SendControl,
    Service,
    SetTimer,
    TimerFired,
    forward,
    refuse,
)
from ei.services.multicast.members import ADDRESS_BYTES, Member, Members
from ei.services.multicast.messages import Graft, Join, Leave, Prune

UP = b"\x01"
"""Mark of a packet on its way from the sender's node to the rendezvous."""
DOWN = b"\x02"
"""Mark of a packet on its way from the rendezvous to nodes with members."""

RECONSIDER = b"reconsider "
"""With a peer: the timer of what is left to be reconsidered; with a group alone: of its refresh."""

GROUPS_AT_ONCE = 500
"""How many groups are reconsidered in one event when a peer comes or goes; the rest follows."""

MESSAGES = Join | Leave | Graft | Prune


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, and bounds.

    Attributes:
        membership_s: How long a `Join` or `Graft` counts.
        refresh_s: How often a node repeats its `Graft`.
        decision_s: How long copies are made the same way without asking again, at most.
        refusal_s: As `decision_s`, when no rendezvous can be reached.
        hold_s: How long a packet waits for the group's record.
        groups_per_peer: How many groups one peer may belong to.
        members_per_group: How many members one group may have here.
    """

    membership_s: float
    refresh_s: float
    decision_s: float
    refusal_s: float
    hold_s: float
    groups_per_peer: int
    members_per_group: int


class Multicast(Service[Config]):
    """Copies packets to the members of their group."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Copy to all who should have it, and let the datapath do so from now on."""
        packet = event.packet
        group, mark = packet.metadata[:ADDRESS_BYTES], packet.metadata[ADDRESS_BYTES:]
        if len(group) != ADDRESS_BYTES or mark not in (b"", UP, DOWN):
            return refuse(packet, "bad_group", ttl_s=ctx.config.decision_s)
        if mark == DOWN:
            return copy(packet, group, ctx)
        query = GroupOf(Address(group))
        if query not in ctx.records:
            return (HoldPacket(until=query, timeout_s=ctx.config.hold_s),)
        record = ctx.records[query]
        if not isinstance(record, Group):
            return refuse(packet, "unknown_group", ttl_s=ctx.config.refusal_s, tag=group)
        if not record.may_send(packet.source):
            return refuse(packet, "sender_refused", ttl_s=ctx.config.decision_s, tag=group)
        return spread(packet, group, record.nodes, ctx, is_up=mark == UP)

    def on_control(self, event: ControlArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Remember who belongs to a group."""
        match event.message:
            case Join(group):
                return join(group, event.sender, ctx, is_node=False)
            case Graft(group):
                return join(group, event.sender, ctx, is_node=True)
            case Leave(group) | Prune(group):
                return leave(group, event.sender, ctx)
            case other:
                raise TypeError(f"not a multicast message: {other!r}")

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Repeat that a group has members here; or go on with what depends on a peer."""
        if len(event.key) > ADDRESS_BYTES:
            return reconsider(Address(event.key.removeprefix(RECONSIDER)), ctx)
        return refresh(event.key, ctx)

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew what depends on a peer that came or went."""
        return reconsider(event.peer, ctx)

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Tell the rendezvous of a group that it has members here."""
        record, members = event.record, Members(ctx.ephemeral)
        if isinstance(record, Group):
            yield from judge(record, ctx)
            if members.rendezvous(record.group) not in ((), record.nodes):
                yield RevokeDecisions(tag=record.group)
            if members.has_hosts(record.group):
                yield from graft(record.group, record.nodes, ctx)


# -- copies ---------------------------------------------------------------------------------------


def spread(
    packet: Packet,
    group: bytes,
    nodes: tuple[Address, ...],
    ctx: Context[Config],
    *,
    is_up: bool,
) -> Iterator[Effect]:
    """Copy a packet that no rendezvous has seen: act as one, or send it to one."""
    Members(ctx.ephemeral).set_rendezvous(group, nodes, ttl_s=2 * ctx.config.refresh_s)
    reachable = [node for node in nodes if node == ctx.node or node in ctx.peers]
    if is_up and ctx.node not in nodes:
        yield from refuse(packet, "no_rendezvous", ttl_s=ctx.config.refusal_s, tag=group)
    elif is_up or reachable[:1] == [ctx.node]:
        yield from copy(packet, group, ctx, is_rendezvous=True)
    elif reachable:
        yield from copy(packet, group, ctx, up_to=reachable[0])
    else:
        yield from copy(packet, group, ctx, otherwise="no_rendezvous")


def copy(  # noqa: PLR0913 what tells one way of copying from another
    packet: Packet,
    group: bytes,
    ctx: Context[Config],
    *,
    is_rendezvous: bool = False,
    up_to: Address | None = None,
    otherwise: str = "no_members",
) -> Iterator[Effect]:
    """Send one copy to each member that should have one, `otherwise` refuse.

    Args:
        packet: Leaves with the metadata that each copy needs.
        group: Of the packet.
        ctx: Of the event.
        is_rendezvous: Members are nodes too; else hosts alone.
        up_to: The rendezvous, when this is the sender's node.
        otherwise: The reason when nobody should have one.
    """
    hops: list[Hop] = []
    until_s = ctx.now_s + ctx.config.decision_s
    for peer, member in Members(ctx.ephemeral).of_group(group):
        if peer in (packet.ingress, packet.source) or (member.is_node and not is_rendezvous):
            continue
        if not member.is_known:
            continue
        hops.append(hop_to(peer, packet, group + DOWN if member.is_node else group))
        until_s = min(until_s, member.expires_s)
    if up_to is not None:
        hops.append(hop_to(up_to, packet, group + UP))
    if hops:
        yield from forward(packet, tuple(hops), ttl_s=until_s - ctx.now_s, tag=group)
    else:
        yield from refuse(packet, otherwise, ttl_s=ctx.config.refusal_s, tag=group)


def hop_to(peer: Address, packet: Packet, metadata: bytes) -> Hop:
    """Return the hop to a peer that gets a copy with this metadata."""
    return Hop(peer, metadata=None if metadata == packet.metadata else metadata)


# -- members --------------------------------------------------------------------------------------


def join(group: bytes, peer: Address, ctx: Context[Config], *, is_node: bool) -> Iterator[Effect]:
    """Note that a peer belongs to a group, within the bounds; a host, as its record allows."""
    config, members = ctx.config, Members(ctx.ephemeral)
    record = ctx.records.get(GroupOf(Address(group)))
    if isinstance(record, Group) and not is_node and not record.may_join(peer):
        yield Count("member_refused")
        yield from leave(group, peer, ctx)
        return
    is_new = not members.is_member(group, peer)
    if is_new and members.count_groups(peer, config.groups_per_peer) == config.groups_per_peer:
        yield Count("too_many_groups")
        return
    if (
        is_new
        and members.count_members(group, config.members_per_group) == config.members_per_group
    ):
        yield Count("too_many_members")
        return
    before = members.find(group, peer)
    is_known = is_node or isinstance(record, Group) or (before is not None and before.is_known)
    member = Member(is_node, ctx.now_s + config.membership_s, is_known)
    members.add(group, peer, member, ttl_s=config.membership_s)
    if is_new:
        yield RevokeDecisions(tag=group)
        if not is_node:
            yield SetTimer(group, after_s=0.0)


def judge(record: Group, ctx: Context[Config]) -> Iterator[Effect]:
    """Let the hosts here belong to a group, or not, as its record says."""
    members = Members(ctx.ephemeral)
    for peer, member in list(members.of_group(record.group)):
        if member.is_node:
            continue
        if not record.may_join(peer):
            yield Count("member_refused")
            yield from leave(record.group, peer, ctx)
        elif not member.is_known:
            known = Member(is_node=False, expires_s=member.expires_s)
            members.add(record.group, peer, known, ttl_s=max(0.0, member.expires_s - ctx.now_s))
            yield RevokeDecisions(tag=record.group)


def leave(group: bytes, peer: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Note that a peer no longer belongs to a group."""
    members = Members(ctx.ephemeral)
    if not members.is_member(group, peer):
        return
    members.remove(group, peer)
    yield RevokeDecisions(tag=group)
    if not members.has_hosts(group):
        yield CancelTimer(group)
        for node in members.rendezvous(group):
            if node in ctx.peers:
                yield SendControl(Prune(group), to=node)


def refresh(group: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Tell the rendezvous again, as long as the group has members here."""
    if not Members(ctx.ephemeral).has_hosts(group):
        return
    query = GroupOf(Address(group))
    record = ctx.records.get(query)
    if isinstance(record, Group):
        yield from graft(group, record.nodes, ctx)
    else:
        yield Resolve(query)
        yield SetTimer(group, after_s=ctx.config.refresh_s)


def graft(group: bytes, nodes: tuple[Address, ...], ctx: Context[Config]) -> Iterator[Effect]:
    """Tell each rendezvous that the group has members here: a sender's node may choose any."""
    Members(ctx.ephemeral).set_rendezvous(group, nodes, ttl_s=2 * ctx.config.refresh_s)
    for node in nodes:
        if node in ctx.peers:
            yield SendControl(Graft(group), to=node)
    yield SetTimer(group, after_s=ctx.config.refresh_s)


def reconsider(peer: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Decide anew for the groups that depend on a peer, some at a time."""
    members = Members(ctx.ephemeral)
    groups = members.take_dependents(peer, GROUPS_AT_ONCE)
    for group in groups:
        if peer not in ctx.peers:
            members.remove(group, peer)
        yield RevokeDecisions(tag=group)
        if members.has_hosts(group):
            yield SetTimer(group, after_s=0.0)
    if len(groups) == GROUPS_AT_ONCE:
        yield SetTimer(RECONSIDER + peer, after_s=0.0)


SERVICE = Multicast
