"""Records that came over the network: held to the same rules as those of the file."""

from collections.abc import Sequence

from msgspec import structs

from ei.records.fields import Refused, refuse
from ei.records.kinds import (
    Absence,
    AnyRecord,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.record_set import RecordSet
from ei.records.rules import SequencedT, Verifier

Opened = tuple[AnyRecord, bytes]
"""A record whose signature verifies, and the key of its signer."""


def verify_foreign(
    opened: Sequence[Opened], records: RecordSet, *, unix_s: float, attachment_limit_s: int
) -> AnyRecord:
    """Return the last of these records as far as it counts.

    Args:
        opened: At least one; each after those it rests on: an attachment after the enrolment of its
            host, a group after that of its owner.
        records: What is known from elsewhere, the roots of trust in it; not changed.
        attachment_limit_s: Longest time that an attachment may still have to live.

    Raises:
        Refused: one of them does not count.
    """
    verifier = Verifier(
        roots=records.roots,
        unix_s=unix_s,
        attachment_limit_s=attachment_limit_s,
        revoked=records.revoked,
        known=records,
    )
    for record, signer in opened[:-1]:
        try:
            _ = verifier.add(record, signer)
        except Refused as refused:
            if refused.word != "older":  # then what is known serves as well
                raise
    record, signer = opened[-1]
    if isinstance(record, DomainRecord | NodeRecord):
        refuse("bad_field", "records of domains and nodes do not come from a directory")
    known = _known(record, records)
    if known is not None and known.expires_unix_s > unix_s:
        return known
    return verifier.add(record, signer)


def _known(record: AnyRecord, records: RecordSet) -> AnyRecord | None:
    """Return the same record as it is known, without the nodes that have none."""
    match record:
        case Enrolment(address=address):
            known = records.enrolments.get(address)
            return known if known == record else None
        case GroupRecord(group=group):
            return _same(records.groups.get(group), record)
        case AttachmentRecord(host=host):
            return _same(records.attachments.get(host), record)
        case Absence() | DomainRecord() | NodeRecord():
            return None


def _same(known: SequencedT | None, record: SequencedT) -> SequencedT | None:
    is_same = known is not None and structs.replace(known, nodes=record.nodes) == record
    return known if is_same else None
