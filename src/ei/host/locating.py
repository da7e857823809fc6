"""Which nodes a domain's SRV records mean, pure: order of RFC 2782, then what the records know.

The DNS is listened to, not believed. It chooses among nodes whose signed records the host has, by
endpoint: a forged answer can keep a host from its nodes, as a cut cable can; it cannot send it to
a node with another key, nor make it call an endpoint that no domain has signed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from ei.records.endpoints import parse_endpoint
from ei.records.kinds import NodeRecord
from ei.sdk.packets import Address

MOST_NODES = 2
"""As many as a host attaches to of those that it finds: it needs two, however many there are."""


@dataclass(frozen=True, slots=True)
class Located:
    """One SRV record with the addresses of its target.

    Attributes:
        endpoints: Each address of the target with the record's port.
    """

    target: str
    priority: int
    weight: int
    endpoints: tuple[str, ...]


def in_order(located: Iterable[Located], *, random: Random) -> list[Located]:
    """Return records in the order in which to try them: by priority, at random by weight."""
    ordered: list[Located] = []
    left = sorted(located, key=lambda each: (each.priority, each.weight, each.target))
    while left:
        first = [each for each in left if each.priority == left[0].priority]
        point = random.randint(0, sum(each.weight for each in first))
        for each in first:
            point -= each.weight
            if point <= 0:
                ordered.append(each)
                left.remove(each)
                break
    return ordered


def nodes_at(
    located: Iterable[Located], nodes: Mapping[Address, NodeRecord]
) -> tuple[list[Address], list[str]]:
    """Return (the nodes with an endpoint there, in order; the targets that are none of them)."""
    at = {
        parse_endpoint(endpoint): address
        for address, node in nodes.items()
        for endpoint in node.endpoints
    }
    found: dict[Address, None] = {}
    strangers: list[str] = []
    for each in located:
        known = [at[e] for e in map(parse_endpoint, each.endpoints) if e in at]
        found |= dict.fromkeys(known)
        if not known:
            strangers.append(each.target)
    return list(found), strangers


def choose(
    found: Sequence[Address], *, present: Sequence[Address] = (), limit: int = MOST_NODES
) -> list[Address]:
    """Return which of the nodes found to attach to: those that it has first, then in order."""
    kept = [node for node in present if node in found]
    return [*kept, *(node for node in found if node not in kept)][:limit]
