"""Answers what services ask, from a set of verified records alone.

As if all domains were neighbours of one another: their nodes lead to them.
"""

from typing import assert_never

import msgspec

from ei.records.record_set import RecordSet
from ei.sdk.packets import domain_number_of
from ei.sdk.records import (
    Attachment,
    AttachmentOf,
    Group,
    GroupOf,
    Query,
    Record,
    Route,
    RouteTo,
    ServiceAt,
)

_queries: msgspec.msgpack.Decoder[Query] = msgspec.msgpack.Decoder(Query)


def resolve_query(query: Query, records: RecordSet, *, unix_s: float) -> Record | None:
    """Return the record that answers `query`; `None` when there is none or it has expired."""
    match query:
        case AttachmentOf(host):
            attachment = records.attachments.get(host)
            if attachment is None or attachment.expires_unix_s <= unix_s:
                return None
            return Attachment(host, attachment.nodes)
        case GroupOf(group):
            found = records.groups.get(group)
            if found is None or found.expires_unix_s <= unix_s:
                return None
            return Group(group, found.nodes)
        case RouteTo(domain):
            hops = tuple(node for node in records.nodes if domain_number_of(node) == domain)
            return Route(hops) if hops else None
        case ServiceAt(service):
            nodes = records.nodes.items()
            hops = tuple(node for node, record in nodes if service in record.services)
            return Route(hops) if hops else None
        case _:
            assert_never(query)


def answer_query(query: bytes, records: RecordSet, *, unix_s: float) -> bytes | None:
    """Return the answer to a query as msgpack; `None` as in `resolve_query`, or for no query.

    Args:
        query: msgpack of an `ei.sdk.records.Query`, as the environment of a service wrote it.
    """
    try:
        asked = _queries.decode(query)
    except msgspec.DecodeError:
        return None
    record = resolve_query(asked, records, unix_s=unix_s)
    return None if record is None else msgspec.msgpack.encode(record)
