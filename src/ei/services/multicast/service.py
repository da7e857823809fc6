"""Multicast: one packet in, a copy to every member of the group, and never two on one pipe.

    alice ── A ──┬──> B ──┬── bob         A: the root, alice's node
                 │        ├── bea         B: brings the tree into its domain,
                 │        └──> C ── boris    and on to C
                 └──> D ── carol

Hosts tell their node which groups they belong to (`Join`), which the group's record must allow, as
it must allow who sends. A node with members grafts each of the group's trees, at the next node
towards its root, which does the same. Trees are rooted at the nodes of the senders that the record
names (source-specific, RFC 4607). Who may send without being named, as one of a domain, sends *up*
to the first of the group's own nodes that can be reached, the root of a tree that all share. Down a
tree each node takes packets from its parent alone and copies them to its branches and members.

Each node keeps the last packets of a stream, by the stage `Keep`. Who lacks some asks its node
(`Missing`), which asks on towards the source for those that it lacks as well; see `repairs.py`.

The metadata is the group's address of 16 bytes, between nodes followed by the root's and a mark.
Memberships and branches are soft state: repeated, or forgotten. Decisions carry the group as their
tag, and end with any change of it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from ei.sdk import (
    Address,
    Attachment,
    Context,
    ControlArrived,
    Count,
    DropPacket,
    Effect,
    Group,
    GroupOf,
    HoldPacket,
    Hop,
    Meter,
    NotKept,
    Packet,
    PacketArrived,
    PeerChanged,
    Query,
    Resolved,
    RevokeDecisions,
    RouteTo,
    SendControl,
    Service,
    ServiceAt,
    SetTimer,
    Stage,
    Started,
    TimerFired,
    domain_number_of,
    forward,
    refuse,
    towards,
)
from ei.services.multicast.branching import (
    RECONSIDER,
    UNPROVEN,
    ask_for_proof,
    declined,
    graft,
    graft_again,
    prove,
    prune,
    reconsider,
)
from ei.services.multicast.growing import PROOF, Config, grow, hops_of, named_by
from ei.services.multicast.members import ADDRESS_BYTES, Member, Members
from ei.services.multicast.messages import Again, Decline, Graft, Join, Leave, Missing, Prune
from ei.services.multicast.repairs import DOWN, keep, look_further, repair
from ei.services.multicast.trees import TREE_BYTES, Trees, group_of, root_of

UP = b"\x01"
"""Mark of a packet on its way from the sender's node to the root."""

MESSAGES = Join | Leave | Graft | Prune | Decline | Missing | Again


class Multicast(Service[Config]):
    """Copies packets to the members of their group."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Copy to all who should have it, and let the datapath do so from now on."""
        packet = event.packet
        tree, mark = packet.metadata[:TREE_BYTES], packet.metadata[TREE_BYTES:]
        if len(tree) not in (ADDRESS_BYTES, TREE_BYTES) or (len(tree) == TREE_BYTES) != bool(mark):
            return refuse(packet, "bad_group", ttl_s=ctx.config.decision_s)
        if mark in (b"", UP):
            return go_in(packet, tree, ctx)
        if mark == DOWN:
            return come_down(packet, tree, ctx)
        if mark == PROOF:
            return take_proof(packet, tree, ctx)
        return refuse(packet, "bad_group", ttl_s=ctx.config.decision_s)

    def on_control(  # noqa: PLR0911 one case for each message
        self, event: ControlArrived, ctx: Context[Config]
    ) -> Iterable[Effect]:
        """Remember who belongs to a group, and where its trees go."""
        match event.message:
            case Join(group):
                return join(group, event.sender, ctx)
            case Leave(group):
                return leave(group, event.sender, ctx)
            case Graft(tree):
                return graft(tree, event.sender, ctx)
            case Prune(tree):
                return prune(tree, event.sender, ctx)
            case Decline(tree):
                return declined(tree, event.sender, ctx)
            case Missing() as missing:
                return repair(missing, event.sender, ctx)
            case Again():
                return graft_again(event.sender, ctx)
            case other:
                raise TypeError(f"not a multicast message: {other!r}")

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Repeat which trees come here; or go on with what depends on something that changed."""
        what, about = event.key[:-ADDRESS_BYTES], event.key[-ADDRESS_BYTES:]
        if what == RECONSIDER:
            return reconsider(about, ctx)
        if what == UNPROVEN:
            return ask_for_proof(Address(about), ctx)
        return grow(about, ctx)

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide anew what depends on a peer that came or went."""
        trees = Trees(ctx.ephemeral)
        if event.is_up and (trees.is_new() or trees.is_node(event.peer)):
            # Its branches were forgotten when it seemed to be gone, which it need not know.
            yield SendControl(Again(), to=event.peer)
        yield from reconsider(event.peer, ctx)

    def on_start(self, event: Started, ctx: Context[Config]) -> Iterable[Effect]:
        """Have the branches come again that were forgotten, by peers as they are told of."""
        Trees(ctx.ephemeral).begin(ttl_s=ctx.config.retry_s)
        return ()

    def on_not_kept(self, event: NotKept, ctx: Context[Config]) -> Iterable[Effect]:
        """Ask further up for what is to be sent again and is not kept here."""
        return look_further(event, ctx)

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with what waited for an answer, or rests on another one."""
        match event.query, event.record:
            case GroupOf(group), record:
                yield from learn(group, record if isinstance(record, Group) else None, ctx)
            case _, Attachment(host):
                yield from reconsider(host, ctx)
            case (RouteTo() | ServiceAt()) as query, _:
                yield from reconsider(named_by(query), ctx)
            case _:
                pass


# -- packets --------------------------------------------------------------------------------------


def go_in(packet: Packet, tree: bytes, ctx: Context[Config]) -> Iterable[Effect]:
    """Send what a host sends towards the root of a tree, if the group's record allows it."""
    group, is_on_its_way = group_of(tree), len(tree) == TREE_BYTES
    if not is_on_its_way and packet.ingress != packet.source:
        return refuse(packet, "not_from_host", ttl_s=ctx.config.decision_s)
    query = GroupOf(Address(group))
    if query not in ctx.records:
        return hold(query, ctx)
    record = ctx.records[query]
    if not isinstance(record, Group):
        return refuse(packet, "unknown_group", ttl_s=ctx.config.refusal_s, tag=group)
    if not record.may_send(packet.source):
        return refuse(packet, "sender_refused", ttl_s=ctx.config.decision_s, tag=group)
    if is_on_its_way:
        return come_up(packet, tree, record, ctx)
    return enter(packet, record, ctx)


def come_up(packet: Packet, tree: bytes, record: Group, ctx: Context[Config]) -> Iterable[Effect]:
    """Take what is on its way up from where its source is: who else sends it speaks for nobody.

    That is a node of the source's home, one of this domain, or one on the way to that home. Senders
    that the record names have trees of their own, and send nothing up.
    """
    home, came_from = domain_number_of(packet.source), domain_number_of(packet.ingress)
    if packet.ingress == packet.source or packet.source in record.senders:
        return refuse(packet, "not_on_the_way", ttl_s=ctx.config.refusal_s, tag=record.group)
    if came_from not in (home, ctx.domain):
        query = RouteTo(home)
        if query not in ctx.records:
            return hold(query, ctx)
        if packet.ingress not in hops_of(query, ctx):
            return refuse(packet, "not_on_the_way", ttl_s=ctx.config.refusal_s, tag=record.group)
    return go_up(packet, tree, record, ctx)


def take_proof(packet: Packet, tree: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Note that a peer is a node, if it shows that; see `graft_at`."""
    if packet.source != packet.ingress:
        yield from prove(tree, packet.ingress, ctx)
    yield DropPacket("proof")


def enter(packet: Packet, record: Group, ctx: Context[Config]) -> Iterable[Effect]:
    """Send what a host sends: down a tree of this node's own, or up to a node of the group's."""
    group = record.group
    if packet.source in record.senders or ctx.node in record.nodes[:1]:
        return copy(packet, group + ctx.node, ctx, stages=(meter(packet, group, ctx),))
    ways = towards([node for node in record.nodes if node != ctx.node], packet, ctx)
    if not isinstance(ways, tuple):
        return hold(ways, ctx)
    up = [way for way in ways if way.is_up]
    if not up and ctx.node in record.nodes:
        return copy(packet, group + ctx.node, ctx, stages=(meter(packet, group, ctx),))
    if not up:
        return refuse(packet, "no_root", ttl_s=ctx.config.refusal_s, tag=group)
    hop = Hop(up[0].hop, group + up[0].node + UP)
    Members(ctx.ephemeral).depend(group, hop.to, ttl_s=2 * ctx.config.refresh_s)
    stages = (meter(packet, group, ctx),)
    return forward(packet, (hop,), ttl_s=ctx.config.decision_s, tag=group, stages=stages)


def go_up(packet: Packet, tree: bytes, record: Group, ctx: Context[Config]) -> Iterable[Effect]:
    """Send down what has come to its root, and on what has not."""
    group, root = group_of(tree), root_of(tree)
    if root not in record.nodes:
        return refuse(packet, "no_root", ttl_s=ctx.config.refusal_s, tag=group)
    if root == ctx.node:
        return copy(packet, tree, ctx)
    ways = towards((root,), packet, ctx)
    if not isinstance(ways, tuple):
        return hold(ways, ctx)
    if not ways or not ways[0].is_up:
        return refuse(packet, "no_root", ttl_s=ctx.config.refusal_s, tag=group)
    Members(ctx.ephemeral).depend(group, ways[0].hop, ttl_s=2 * ctx.config.refresh_s)
    return forward(packet, (Hop(ways[0].hop),), ttl_s=ctx.config.decision_s, tag=group)


def come_down(packet: Packet, tree: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Copy what comes from the tree's parent; who else sends it is told to stop."""
    trees, group = Trees(ctx.ephemeral), group_of(tree)
    if packet.ingress == trees.parent(tree):
        yield from copy(packet, tree, ctx)
        return
    yield from refuse(packet, "not_from_parent", ttl_s=ctx.config.refusal_s, tag=group)
    if packet.ingress in ctx.peers:
        yield SendControl(Prune(tree), to=packet.ingress)


def copy(
    packet: Packet, tree: bytes, ctx: Context[Config], *, stages: tuple[Stage, ...] = ()
) -> Iterator[Effect]:
    """Send one copy to each branch of the tree, and to each member here but the sender."""
    group = group_of(tree)
    hops: list[Hop] = []
    Trees(ctx.ephemeral).note_stream(
        group, packet.source, root_of(tree), ttl_s=ctx.config.membership_s
    )
    until_s = ctx.now_s + ctx.config.decision_s
    for host, member in Members(ctx.ephemeral).of_group(group):
        if member.is_known and host != packet.source:
            hops.append(hop_to(host, packet, group))
            until_s = min(until_s, member.expires_s)
    trees = Trees(ctx.ephemeral)
    for node, expires_s in trees.branches(tree):
        is_back = node == packet.ingress and packet.metadata[TREE_BYTES:] != UP
        if trees.is_node(node) and not is_back:
            hops.append(hop_to(node, packet, tree + DOWN))
            until_s = min(until_s, expires_s)
    if hops:
        ttl_s = until_s - ctx.now_s
        yield from forward(
            packet, tuple(hops), ttl_s=ttl_s, tag=group, stages=(*stages, *keep(packet, group, ctx))
        )
    else:
        yield from refuse(packet, "no_members", ttl_s=ctx.config.decision_s, tag=group)


def hop_to(peer: Address, packet: Packet, metadata: bytes) -> Hop:
    """Return the hop of a copy: as it is, or with other metadata."""
    return Hop(peer, None if metadata == packet.metadata else metadata)


def meter(packet: Packet, group: bytes, ctx: Context[Config]) -> Meter:
    """Return what bounds the copies that one sender causes."""
    config = ctx.config
    return Meter(group + packet.source, config.sender_bytes_per_s, config.sender_burst_bytes)


def hold(query: Query, ctx: Context[Config]) -> Iterable[Effect]:
    """Let the packet wait for an answer."""
    return (HoldPacket(until=query, timeout_s=ctx.config.hold_s),)


# -- members --------------------------------------------------------------------------------------


def join(group: bytes, host: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Note that a host belongs to a group, unless its record is known and says otherwise."""
    config, members = ctx.config, Members(ctx.ephemeral)
    record = ctx.records.get(GroupOf(Address(group)))
    if isinstance(record, Group) and not record.may_join(host):
        yield Count("member_refused")
        yield from leave(group, host, ctx)
        return
    before = members.find(group, host)
    if before is None:
        if members.count_groups(host, config.groups_per_peer) == config.groups_per_peer:
            yield Count("too_many_groups")
            return
        most = config.members_per_group
        if members.count_members(group, most) == most:
            yield Count("too_many_members")
            return
    is_known = isinstance(record, Group) or (before is not None and before.is_known)
    member = Member(ctx.now_s + config.membership_s, is_known)
    is_first = members.is_empty(group)
    members.add(group, host, member, ttl_s=config.membership_s)
    if before is None and is_known:
        yield RevokeDecisions(tag=group)
    if is_first:
        yield from grow(group, ctx)


def learn(group: bytes, record: Group | None, ctx: Context[Config]) -> Iterator[Effect]:
    """Let the record of a group, or that there is none, have its effects."""
    noted = msgspec.msgpack.encode(record)
    if Trees(ctx.ephemeral).has_changed(group, noted, ttl_s=3 * ctx.config.membership_s):
        yield RevokeDecisions(tag=group)
    if record is not None:
        yield from judge(record, ctx)
        yield from grow(group, ctx)
        return
    members = Members(ctx.ephemeral)
    for host, member in list(members.of_group(group)):
        if member.is_known:
            yield from leave(group, host, ctx)


def judge(record: Group, ctx: Context[Config]) -> Iterator[Effect]:
    """Let the hosts here belong to a group, or not, as its record says."""
    members, are_new = Members(ctx.ephemeral), False
    for host, member in list(members.of_group(record.group)):
        if not record.may_join(host):
            yield Count("member_refused")
            yield from leave(record.group, host, ctx)
        elif not member.is_known:
            known, are_new = Member(member.expires_s), True
            members.add(record.group, host, known, ttl_s=max(0.001, member.expires_s - ctx.now_s))
    if are_new:
        yield RevokeDecisions(tag=record.group)


def leave(group: bytes, host: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Note that a host no longer belongs to a group."""
    members = Members(ctx.ephemeral)
    if members.find(group, host) is None:
        return
    members.remove(group, host)
    yield RevokeDecisions(tag=group)
    if members.is_empty(group):
        yield SetTimer(group, after_s=0.0)


SERVICE = Multicast
