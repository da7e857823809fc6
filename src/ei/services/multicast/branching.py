"""Where trees go on to from here, and what becomes of them when a node comes or goes."""

from collections.abc import Iterator

from ei.sdk import Address, Context, Count, Effect, RevokeDecisions, SendControl, SetTimer
from ei.services.multicast.growing import Config, graft_at, grow
from ei.services.multicast.members import Members
from ei.services.multicast.messages import Again, Decline
from ei.services.multicast.trees import Trees, group_of

RECONSIDER = b"reconsider "
"""With what changed: the timer of what is left to be reconsidered; a group alone: of a refresh."""

UNPROVEN = b"unproven "
"""With a peer that has grafted: the timer of how long its proof may take."""

GROUPS_AT_ONCE = 500
"""How many groups are reconsidered in one event when a peer comes or goes; the rest follows."""


def graft(tree: bytes, node: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Let a tree go on to a node, and have it come here."""
    config, trees, members = ctx.config, Trees(ctx.ephemeral), Members(ctx.ephemeral)
    group, is_new = group_of(tree), not trees.has_branch(tree, node)
    if is_new and trees.parent(tree) == node:
        # Each took the other to be nearer to the root.
        yield SendControl(Decline(tree), to=node)
        return
    most = config.branches_per_tree
    if is_new and trees.count_branches(tree, most) == most:
        yield Count("too_many_branches")
        return
    is_node = trees.is_node(node)
    most = config.groups_per_node if is_node else config.groups_per_peer
    if is_new and members.count_groups(node, most) == most:
        yield Count("too_many_groups")
        return
    expires_s = ctx.now_s + config.membership_s
    trees.add_branch(tree, node, expires_s=expires_s, ttl_s=config.membership_s)
    members.depend(group, node, ttl_s=config.membership_s)
    if is_node:
        _ = trees.prove_node(node, ttl_s=3 * config.membership_s)
    if not is_node:
        # Its proof is on its way, or was lost; until it comes the branch gets nothing.
        yield SetTimer(UNPROVEN + node, after_s=config.again_s)
    elif is_new:
        yield RevokeDecisions(tag=group)
        yield from grow(group, ctx)


def prove(tree: bytes, node: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Note that a peer is a node: from now on it gets what it has grafted."""
    membership_s = ctx.config.membership_s
    if Trees(ctx.ephemeral).prove_node(node, ttl_s=3 * membership_s):
        yield from reconsider(node, ctx)
        Members(ctx.ephemeral).depend(group_of(tree), node, ttl_s=membership_s)


def ask_for_proof(node: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Have a peer graft again whose proof has not come."""
    if not Trees(ctx.ephemeral).is_node(node) and node in ctx.peers:
        yield SendControl(Again(), to=node)


def prune(tree: bytes, node: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Let a tree go on to a node no longer."""
    trees = Trees(ctx.ephemeral)
    if trees.has_branch(tree, node):
        trees.remove_branch(tree, node)
        yield RevokeDecisions(tag=group_of(tree))
        yield from grow(group_of(tree), ctx)


def declined(tree: bytes, node: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Look for another node that brings a tree."""
    trees = Trees(ctx.ephemeral)
    if trees.parent(tree) == node:
        trees.decline(tree, node, ttl_s=ctx.config.declined_s)
        trees.set_parent(tree, None)
        yield from grow(group_of(tree), ctx)


def graft_again(parent: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Graft again all that comes from a node which has forgotten it."""
    members, trees = Members(ctx.ephemeral), Trees(ctx.ephemeral)
    for group in members.take_dependents(parent, GROUPS_AT_ONCE):
        members.depend(group, parent, ttl_s=2 * ctx.config.refresh_s)
        for tree in list(trees.with_parents(group)):
            if trees.parent(tree) == parent:
                yield from graft_at(parent, tree, ctx)


def reconsider(changed: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Decide anew for the groups that depend on something, some at a time."""
    members = Members(ctx.ephemeral)
    groups = members.take_dependents(changed, GROUPS_AT_ONCE)
    for group in groups:
        if changed not in ctx.peers:
            forget(group, Address(changed), ctx)
        yield RevokeDecisions(tag=group)
        yield SetTimer(group, after_s=0.0)
    if len(groups) == GROUPS_AT_ONCE:
        yield SetTimer(RECONSIDER + changed, after_s=0.0)


def forget(group: bytes, peer: Address, ctx: Context[Config]) -> None:
    """Forget a peer that is gone, as member, branch and parent."""
    members, trees = Members(ctx.ephemeral), Trees(ctx.ephemeral)
    members.remove(group, peer)
    for tree in trees.with_branches(group):
        trees.remove_branch(tree, peer)
    for tree in list(trees.with_parents(group)):
        if trees.parent(tree) == peer:
            trees.set_parent(tree, None)
