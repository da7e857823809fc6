"""What `ei directory` shows: whom a name or address means, and where a host is attached."""

import asyncio
from collections.abc import Callable

import msgspec

from ei.directory import Addressed, Attached, Named, Query, Resolution
from ei.records.addresses import format_address, parse_address
from ei.records.kinds import AttachmentRecord, Enrolment, GroupRecord, NodeRecord
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

PATIENCE_S = 5.0
"""A directory gives up a question after 4.5 s."""

LOOK_S = 0.02

Find = Callable[[Query], Resolution | None]
"""Asks the directory of a node; `None` until it knows."""


class FoundAnswer(msgspec.Struct, frozen=True):
    """What the directory says of a name or address.

    Attributes:
        kind: `host`, `group`, `node`; empty when there is none, or no answer.
        reason: Why there is no answer; empty when it is certain that there is none.
        nodes: Names of the nodes that a host is attached to, or where a group meets.
        attached_until_unix_s: Of a host that is attached.
    """

    name: str
    kind: str = ""
    reason: str = ""
    names: tuple[str, ...] = ()
    address: str = ""
    key: str = ""
    expires_unix_s: int | None = None
    nodes: tuple[str, ...] = ()
    attached_until_unix_s: int | None = None


async def look_up(name: str, find: Find, records: RecordSet) -> FoundAnswer:
    """Ask who has a name or address; for a host, where it is attached as well.

    Raises:
        LocalError: it looks like an address and is none.
    """
    query = Addressed(parse_address(name)) if ":" in name else Named(name)
    resolution = await _resolved(query, find)
    record = resolution.record
    if isinstance(record, Enrolment):
        found = await _resolved(Attached(record.address), find)
        place = found.record if isinstance(found.record, AttachmentRecord) else None
        return FoundAnswer(
            name,
            "host",
            names=record.names,
            address=format_address(record.address),
            key=record.identity_key.hex(),
            expires_unix_s=record.expires_unix_s,
            nodes=_names(place.nodes if place else (), records),
            attached_until_unix_s=place.expires_unix_s if place else None,
        )
    if isinstance(record, GroupRecord):
        return FoundAnswer(
            name,
            "group",
            names=(record.name,),
            address=format_address(record.group),
            key=record.owner_key.hex(),
            expires_unix_s=record.expires_unix_s,
            nodes=_names(record.nodes, records),
        )
    if isinstance(record, NodeRecord):
        return FoundAnswer(
            name,
            "node",
            names=(record.name,),
            address=format_address(record.address),
            key=record.identity_key.hex(),
            expires_unix_s=record.expires_unix_s,
        )
    return FoundAnswer(name, reason=resolution.reason)


async def _resolved(query: Query, find: Find) -> Resolution:
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + PATIENCE_S
    while (found := find(query)) is None:
        if loop.time() > ends_s:
            return Resolution(query, None, "no_answer")
        await asyncio.sleep(LOOK_S)
    return found


def _names(nodes: tuple[Address, ...], records: RecordSet) -> tuple[str, ...]:
    return tuple(map(records.name_of, nodes))
