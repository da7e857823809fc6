"""Which node a private connection leaves by: one of another operator than the host's own. Pure.

The first node knows who asks, the exit where that goes; run by one operator, they would know both.
Who runs a domain and what a node offers is in signed records, which the host has; so it chooses,
and no node does for it. Of the nodes that are equally near one is drawn, so that hosts spread; who
has drawn it keeps it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from ei.errors import DeniedError, LocalError, NotFoundError
from ei.records.kinds import NodeRecord
from ei.records.locations import Location, distance_km, parse_location
from ei.records.operators import operator_of
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address, domain_number_of

RELAY = 68
EQUALLY_NEAR_KM = 200.0
"""Whole degrees say no more."""
MAX_SHOWN = 8
RECORDS_REMEDY = (
    "Add the records of a domain of another operator that offers it to the records file, and its"
    " key to [trust] of host.toml; docs/how-to/browse-privately.md shows how."
)


@dataclass(frozen=True, slots=True)
class ExitWish:
    """Which exit somebody asks for; nothing means the nearest to the host's own node.

    Attributes:
        node: Name of the one node that it must be.
        near: A location, or the name of a node that says its location.
    """

    node: str = ""
    near: str = ""


def choose_exit(  # noqa: PLR0913 all that the choice rests on
    records: RecordSet,
    own: Address | None,
    *,
    wish: ExitWish,
    tried: Collection[Address],
    random: Random,
    before: Address | None = None,
) -> Address:
    """Return the node that connections leave by.

    Args:
        records: Verified.
        own: The node that the host uses, its first one; `None` while there is none.
        tried: Did not do just now.
        random: Draws one of those that are equally near.
        before: The exit that there was; it stays while it is among those, since a server takes who
            comes from elsewhere for somebody else.

    Raises:
        DeniedError: no two operators can be had: what was seen, and what would help; or all were
            tried.
        NotFoundError: a node that was asked for does not exist, or does not do.
        LocalError: `near` is no location.
    """
    if own is None:
        raise DeniedError("no node is in use, which would be the first of two", remedy="ei status")
    first = records.nodes.get(own)
    operator = operator_of(domain_number_of(own), records)
    if first is None or operator is None or RELAY not in first.services:
        raise DeniedError(
            f"the node in use, {records.name_of(own)}, offers no relay (service {RELAY}), and is to"
            " be the first of two",
            remedy="Attach this host to a node that does: nodes in host.toml.",
        )
    exits = _exits(records, operator)
    if wish.node:
        exits = [_asked_for(wish.node, records, exits, operator)]
    elif not exits:
        raise DeniedError(_nobody_else(records, operator), remedy=RECORDS_REMEDY)
    near = _place_of(wish.near, records) if wish.near else first.location
    fresh = [each for each in exits if each.address not in tried]
    if not fresh:
        raise DeniedError(f"no exit answers; tried are {_names(exits)}")
    nearest = [each.address for each in _nearest(fresh, near)]
    if before is not None and before in nearest:
        return before
    return random.choice(nearest)


def _exits(records: RecordSet, operator: str) -> list[NodeRecord]:
    """Return the nodes that other operators offer, in an order of their own."""
    found: list[NodeRecord] = []
    for address, node in records.nodes.items():
        other = operator_of(domain_number_of(address), records)
        if RELAY in node.services and other not in {None, operator}:
            found.append(node)
    return sorted(found, key=lambda node: node.name)


def _nearest(exits: Sequence[NodeRecord], near: Location | None) -> list[NodeRecord]:
    """Return those that are as near as the nearest; all, where nobody says where they are."""
    ways = [
        (distance_km(near, node.location), node)
        for node in exits
        if near is not None and node.location is not None
    ]
    if not ways:
        return list(exits)
    least = min(way for way, _ in ways)
    return [node for way, node in ways if way <= least + EQUALLY_NEAR_KM]


def _asked_for(
    name: str, records: RecordSet, exits: Sequence[NodeRecord], operator: str
) -> NodeRecord:
    record = records.nodes.get(records.find(name))
    if record is None:
        raise NotFoundError(f"{name} is not a node", remedy=f"Exits: {_names(exits)}")
    if record in exits:
        return record
    whose = operator_of(domain_number_of(record.address), records)
    if whose == operator:
        raise DeniedError(
            f"{record.name} is run by {whose}, as the node in use is: one operator would know who"
            " asks, and where it goes",
            remedy=f"Exits of other operators: {_names(exits)}",
        )
    raise DeniedError(
        f"{record.name} offers no relay (service {RELAY})", remedy=f"Exits: {_names(exits)}"
    )


def _place_of(near: str, records: RecordSet) -> Location:
    """Return the location that a text writes, or that of the node that it names."""
    if "," in near:
        return parse_location(near)
    record = records.nodes.get(records.find(near))
    if record is None:
        raise NotFoundError(f"{near} is not a node; a location is such as 48,11")
    if record.location is None:
        raise LocalError(
            f"the domain of {record.name} does not say where that is",
            remedy="Give a location: --near 48,11",
        )
    return record.location


def _nobody_else(records: RecordSet, operator: str) -> str:
    """Say which domains were seen, whose they are, and what they offer."""
    seen: list[str] = []
    for domain in sorted(records.domains.values(), key=lambda each: each.name):
        nodes = [
            node
            for address, node in records.nodes.items()
            if domain_number_of(address) == domain.number
        ]
        count = sum(RELAY in node.services for node in nodes)
        whose = operator_of(domain.number, records)
        seen.append(f"{domain.name} (of {whose}: {count} of {len(nodes)} nodes offer it)")
    more = f", and {len(seen) - MAX_SHOWN} more" if len(seen) > MAX_SHOWN else ""
    return (
        f"no node of another operator than {operator} offers the relay (service {RELAY});"
        f" seen: {', '.join(seen[:MAX_SHOWN])}{more}"
    )


def _names(exits: Sequence[NodeRecord]) -> str:
    return ", ".join(node.name for node in exits[:MAX_SHOWN]) or "none"
