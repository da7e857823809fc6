"""Between the directory and what services ask: verified records, without their signatures."""

from ei.directory.messages import Addressed, Attached, Query
from ei.records.kinds import AnyRecord, AttachmentRecord, GroupRecord
from ei.sdk.packets import Address
from ei.sdk.records import Attachment, AttachmentOf, Group, GroupOf

Asked = AttachmentOf | GroupOf


def query_of(asked: Asked) -> Query:
    """Return what the directory is asked for a service."""
    match asked:
        case AttachmentOf(host):
            return Attached(host)
        case GroupOf(group):
            return Addressed(group)


def asked_with(query: Query) -> Asked | None:
    """Return what a service may have asked for, when the answer to `query` changes."""
    match query:
        case Attached(host):
            return AttachmentOf(Address(host))
        case Addressed(address):
            return GroupOf(Address(address))
        case _:
            return None


def answer_of(record: AnyRecord | None) -> Attachment | Group | None:
    """Return what a service is told; `None` when there is no such attachment or group."""
    match record:
        case AttachmentRecord(host, nodes):
            return Attachment(host, nodes)
        case GroupRecord():
            return Group(record.group, record.nodes, record.senders, record.members)
        case _:
            return None
