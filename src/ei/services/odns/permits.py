"""What a node passes on or takes: by whose target it is, and by how much somebody asks."""

import msgspec

from ei.sdk import (
    Address,
    Context,
    Node,
    NodeAt,
    Operator,
    OperatorOf,
    Query,
    ServiceError,
    Table,
    domain_number_of,
)
from ei.services.odns.config import Config
from ei.services.odns.messages import ODNS


def why_not(target: Address, ctx: Context[Config]) -> str | Query:
    """Return why this node passes nothing on to a target; or what to ask first.

    It passes on when that is empty.
    """
    if target == ctx.node:
        return "no_proxy"
    node = is_node(target, ctx)
    if not isinstance(node, bool):
        return node
    return why_not_with(target, ctx) if node else "no_target"


def unknown(target: Address, ctx: Context[Config]) -> list[Query]:
    """Return what `why_not` has to know and does not yet."""
    if target == ctx.node:
        return []
    needed: tuple[Query, ...] = (NodeAt(target), OperatorOf(domain_number_of(target)))
    return [query for query in needed if query not in ctx.records]


def why_not_with(other: Address, ctx: Context[Config]) -> str | Query:
    """Return why this node has nothing to do with another; or what to ask first.

    The other must be run by somebody else. If it is, the answer is empty.
    """
    query = OperatorOf(domain_number_of(other))
    operator = ctx.records.get(query, query)
    if operator is query:
        return query
    if not isinstance(operator, Operator):
        return "unknown_operator"
    return "same_operator" if operator.is_own else ""


def is_node(address: Address, ctx: Context[Config]) -> bool | Query:
    """Return whether a node has an address, and offers this service; or what to ask first."""
    query = NodeAt(address)
    node = ctx.records.get(query, query)
    if node is query:
        return query
    return isinstance(node, Node) and ODNS in node.services


class _Bucket(msgspec.Struct, frozen=True, gc=False, array_like=True):
    left: float
    at_s: float


def take(whose: bytes, ctx: Context[Config], *, per_s: float, burst: float) -> bool:
    """Take one; return whether there was one.

    Args:
        per_s: So many come back each second.
        burst: So many are there at most.
    """
    buckets = Table(ctx.ephemeral, "rates", _Bucket)
    kept = buckets.get(whose)
    left = burst if kept is None else min(burst, kept.left + (ctx.now_s - kept.at_s) * per_s)
    if left < 1:
        return False
    # One that is full again is as one that never was.
    full_s = max(0.001, (burst - left + 1) / per_s)
    try:
        buckets.put(whose, _Bucket(left - 1, ctx.now_s), ttl_s=full_s)
    except ServiceError:  # no room is as no permit
        return False
    return True
