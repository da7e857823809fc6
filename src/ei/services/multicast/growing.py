"""How trees grow: each node joins the ones that it needs by the next node towards their root.

Within the root's domain that is the root itself. Elsewhere one node of each domain brings a tree in
for all of them, so that one copy crosses from domain to domain: the one of highest `rank` that has
a way out, by what the routing between domains says. A node that is taken for it and has no way out
of its own declines, and is not asked again for a while; so within a domain a tree is never longer
than two nodes, and has no loops.
"""

from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Connection,
    Context,
    Count,
    Effect,
    Group,
    GroupOf,
    Packet,
    Query,
    Resolve,
    RevokeDecisions,
    Route,
    RouteTo,
    SendControl,
    SendPacket,
    ServiceAt,
    SetTimer,
    domain_number_of,
)
from ei.services.multicast.members import Members
from ei.services.multicast.messages import Decline, Graft, Prune
from ei.services.multicast.trees import Trees, group_of, rank, root_of

MULTICAST = 48
MATES = ServiceAt(MULTICAST)
"""Asks for the other nodes that run this service, those of this domain among them."""
PROOF = b"\x03"
"""Mark of a packet by which a node shows that it is one; see `graft_at`."""
ROOTS_PER_SENDER = 2
"""A sender's nodes that are joined: the one in use, and the one that it moves to."""


_encode = msgspec.msgpack.Encoder().encode


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, and bounds.

    Attributes:
        membership_s: How long a `Join` or `Graft` counts.
        refresh_s: How often a node repeats its `Graft`.
        retry_s: How soon it looks again for a node to graft at, when there was none.
        declined_s: How long a node that has declined is not asked again.
        decision_s: How long copies are made the same way without asking again, at most.
        refusal_s: As `decision_s`, when packets are refused.
        hold_s: How long a packet waits for the group's record.
        groups_per_peer: How many groups one host may belong to.
        groups_per_node: How many groups one node may graft trees of.
        members_per_group: How many members one group may have here.
        branches_per_tree: How many nodes a tree may go on to from here.
        history_packets, history_bytes: What of each stream is kept here, to be sent again.
        histories_per_sender: Of how many of one sender's streams to a group.
        again_s: How long a node waits before it asks for the same packet or record again, and for
            the proof of who has grafted.
        repairs_per_s: How many packets one peer may have again.
        sender_bytes_per_s: What one sender may send to one group.
        sender_burst_bytes: At once.
    """

    membership_s: float
    refresh_s: float
    retry_s: float
    declined_s: float
    decision_s: float
    refusal_s: float
    hold_s: float
    groups_per_peer: int
    groups_per_node: int
    members_per_group: int
    branches_per_tree: int
    history_packets: int
    history_bytes: int
    histories_per_sender: int
    again_s: float
    repairs_per_s: int
    sender_bytes_per_s: int
    sender_burst_bytes: int


def grow(group: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Join the trees of a group that are needed here, and leave the others.

    Parents are told again every `refresh_s`; meanwhile whoever is new.
    """
    members, trees, is_due = Members(ctx.ephemeral), Trees(ctx.ephemeral), take_turn(group, ctx)
    needed = dict.fromkeys(trees.with_branches(group))
    are_all = True
    is_live = not members.is_empty(group)
    if is_live:
        roots, are_all = yield from roots_of(group, ctx)
        needed |= {group + root: None for root in roots}
    if not are_all:
        needed |= dict.fromkeys(trees.with_parents(group))
    are_joined = are_all
    for tree in needed:
        are_joined &= yield from join(tree, ctx, is_due=is_due)
    for tree in list(trees.with_parents(group)):
        if tree not in needed:
            yield from leave(tree, ctx)
    if not are_joined:
        yield SetTimer(group, after_s=ctx.config.retry_s)
    elif is_live or needed:
        yield SetTimer(group, after_s=trees.tell_s(group) - ctx.now_s)
    else:
        trees.tell_never(group)


def take_turn(group: bytes, ctx: Context[Config]) -> bool:
    """Return whether all parents are to be told now; if so, they are again after `refresh_s`."""
    config, trees = ctx.config, Trees(ctx.ephemeral)
    # A little early is on time: a timer is not exact.
    is_due = ctx.now_s > trees.tell_s(group) - config.retry_s
    if is_due:
        trees.tell_at(group, ctx.now_s + config.refresh_s, ttl_s=2 * config.refresh_s)
    return is_due


def roots_of(
    group: bytes, ctx: Context[Config]
) -> Generator[Effect, Any, tuple[list[Address], bool]]:
    """Return the nodes at which packets to a group enter, and whether these are all of them.

    Senders that the group's record names send at their own nodes, the others by those of the group.
    """
    query = GroupOf(Address(group))
    if query not in ctx.records:
        if domain_number_of(group) != ctx.domain:
            yield from ask(MATES, ctx)  # most likely needed next: one wait instead of two
        yield from ask(query, ctx)
        return [], False
    record = ctx.records[query]
    if not isinstance(record, Group):
        return [], True
    roots: dict[Address, None] = {}
    are_all = True
    for sender in record.senders:
        if isinstance(sender, int):
            roots |= dict.fromkeys(record.nodes)
            continue
        Members(ctx.ephemeral).depend(group, sender, ttl_s=2 * ctx.config.refresh_s)
        place = AttachmentOf(Address(sender))
        if place not in ctx.records:
            are_all = False
            yield from ask(place, ctx)
        elif isinstance(found := ctx.records[place], Attachment):
            roots |= dict.fromkeys(found.nodes[:ROOTS_PER_SENDER])
    return list(roots), are_all


def join(tree: bytes, ctx: Context[Config], *, is_due: bool) -> Generator[Effect, Any, bool]:
    """Have a tree come here, by the node that it should come from now; return whether it does."""
    members, trees = Members(ctx.ephemeral), Trees(ctx.ephemeral)
    group, root, before = group_of(tree), root_of(tree), trees.parent(tree)
    if root == ctx.node:
        return True
    members.depend(group, root, ttl_s=2 * ctx.config.refresh_s)
    yield from ask_ways(tree, ctx)
    are_known = all(query in ctx.records for query in ways_of(tree, ctx))
    if not are_known and before not in ctx.peers:
        # By half of what there is to know it would be another one in a moment.
        return False
    parent = choose(tree, ctx) if are_known else before
    if parent != before:
        trees.set_parent(tree, parent)
        yield RevokeDecisions(tag=group)
        if before is not None and before in ctx.peers:
            yield SendControl(Prune(tree), to=before)
    if parent is not None:
        members.depend(group, parent, ttl_s=2 * ctx.config.refresh_s)
        if is_due or parent != before:
            yield from graft_at(parent, tree, ctx, is_known=parent == before)
    yield from decline(tree, parent, ctx)
    return parent is not None


def graft_at(
    parent: Address, tree: bytes, ctx: Context[Config], *, is_known: bool = False
) -> Iterator[Effect]:
    """Ask for a tree, and show that this is a node, unless that is known.

    What a host sends speaks for itself alone: its node sees to that (`source_forged`). So a packet
    that speaks for somebody else, here for the root, comes from a node.
    """
    if not is_known:
        proof = Packet(
            MULTICAST,
            ctx.node,
            root_of(tree),
            Connection(0),
            metadata=tree + PROOF,
            is_covered=True,
        )
        yield SendPacket(proof, parent)
    yield SendControl(Graft(tree), to=parent)


def leave(tree: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Have a tree come here no longer."""
    trees = Trees(ctx.ephemeral)
    parent = trees.parent(tree)
    trees.set_parent(tree, None)
    yield RevokeDecisions(tag=group_of(tree))
    if parent is not None and parent in ctx.peers:
        yield SendControl(Prune(tree), to=parent)


def choose(tree: bytes, ctx: Context[Config]) -> Address | None:
    """Return the peer that a tree should come from; `None` when there is none now."""
    trees, root = Trees(ctx.ephemeral), root_of(tree)
    if domain_number_of(root) == ctx.domain:
        return root if root in ctx.peers else None
    abroad = [hop for hop in hops_of(RouteTo(domain_number_of(root)), ctx) if is_abroad(hop, ctx)]
    mates = [hop for hop in hops_of(MATES, ctx) if not is_abroad(hop, ctx)]
    places = [*mates, ctx.node] if abroad else mates
    for place in sorted(places, key=lambda node: rank(tree, node), reverse=True):
        if place == ctx.node:
            before = trees.parent(tree)
            return next((hop for hop in (root, before) if hop in abroad), abroad[0])
        if not trees.has_declined(tree, place):
            return place
    return None


def decline(tree: bytes, parent: Address | None, ctx: Context[Config]) -> Iterator[Effect]:
    """Send away branches that this node must not feed.

    Those are nodes of this domain, unless the tree comes into it here; and nodes of domains that
    the routing between domains carries nothing for to the root's.
    """
    trees, domain = Trees(ctx.ephemeral), domain_number_of(root_of(tree))
    is_entry = parent is not None and is_abroad(parent, ctx)
    for node, _ in list(trees.branches(tree)):
        if not is_abroad(node, ctx):
            is_fed = is_entry
        elif domain == ctx.domain:
            is_fed = True
        else:
            query = carried_for(tree, node)
            is_fed = query not in ctx.records or ctx.records[query] is not None
        if not is_fed:
            trees.remove_branch(tree, node)
            yield RevokeDecisions(tag=group_of(tree))
            yield Count("declined")
            if node in ctx.peers:
                yield SendControl(Decline(tree), to=node)


def ask_ways(tree: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Ask for what is not known of a tree's ways, and look again when any of it changes."""
    members, ttl_s = Members(ctx.ephemeral), 2 * ctx.config.refresh_s
    for query in (*ways_of(tree, ctx), *carried_of(tree, ctx)):
        members.depend(group_of(tree), named_by(query), ttl_s=ttl_s)
        yield from ask(query, ctx)


def ask(query: Query, ctx: Context[Config]) -> Iterator[Effect]:
    """Ask for what is not known, unless the answer is on its way."""
    is_known = query in ctx.records
    if not is_known and Trees(ctx.ephemeral).ask(_encode(query), ttl_s=ctx.config.again_s):
        yield Resolve(query)


def ways_of(tree: bytes, ctx: Context[Config]) -> tuple[Query, ...]:
    """Return what must be known of the way to the root."""
    domain = domain_number_of(root_of(tree))
    return () if domain == ctx.domain else (RouteTo(domain), MATES)


def carried_of(tree: bytes, ctx: Context[Config]) -> Iterator[Query]:
    """Yield what must be known of the branches, whether they may be fed."""
    if domain_number_of(root_of(tree)) != ctx.domain:
        for node, _ in Trees(ctx.ephemeral).branches(tree):
            if is_abroad(node, ctx):
                yield carried_for(tree, node)


def carried_for(tree: bytes, branch: Address) -> RouteTo:
    """Return the question whether anything is carried between a branch's domain and the root's."""
    return RouteTo(domain_number_of(root_of(tree)), came_from=domain_number_of(branch))


def named_by(query: Query) -> bytes:
    """Return the 16 bytes that stand for what is asked about ways; see `Members`."""
    domain = query.domain if isinstance(query, RouteTo) else 0
    return b"route" + domain.to_bytes(11, "big")


def hops_of(query: Query, ctx: Context[Config]) -> list[Address]:
    """Return the peers that lead there and are up."""
    route = ctx.records.get(query)
    return [hop for hop in route.hops if hop in ctx.peers] if isinstance(route, Route) else []


def is_abroad(node: Address, ctx: Context[Config]) -> bool:
    """Whether a node is of another domain."""
    return domain_number_of(node) != ctx.domain
