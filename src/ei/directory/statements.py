"""What answers a query: signed, verified, and until when it counts."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import msgspec

from ei.directory.messages import Addressed, Attached, Named, Query
from ei.errors import IntegrityError
from ei.records.fields import Refused, refuse
from ei.records.foreign import Opened, verify_foreign
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

Open = Callable[[bytes], Opened]
"""`ei.records.envelope.open_record`, or one that remembers what it has opened."""


class Statement(msgspec.Struct, frozen=True):
    """An answer.

    Attributes:
        record: `None` when its domain says that there is none.
        envelopes: What it rests on, then itself, as they were signed; none for what is known from
            the file and nobody else needs, as nodes are.
        opened: The same, opened.
        expires_s: By the monotonic clock, so that a wall clock that jumps changes nothing.
    """

    record: AnyRecord | None
    envelopes: tuple[bytes, ...] = ()
    opened: tuple[Opened, ...] = ()
    expires_s: float = inf


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers by what is known here.

    Attributes:
        records: With the roots of trust.
        attachment_limit_s: Longest time that an attachment may still have to live.
    """

    records: RecordSet
    attachment_limit_s: int
    open_envelope: Open

    def read(
        self, query: Query, envelopes: tuple[bytes, ...], *, now_s: float, unix_s: float
    ) -> Statement:
        """Return what an answer says.

        Raises:
            IntegrityError: an envelope that does not open.
            Refused: one that does not count, or answers something else.
        """
        opened = tuple(self.open_envelope(envelope) for envelope in envelopes)
        return self.weigh(query, envelopes, opened, now_s=now_s, unix_s=unix_s)

    def weigh(
        self,
        query: Query,
        envelopes: tuple[bytes, ...],
        opened: tuple[Opened, ...],
        *,
        now_s: float,
        unix_s: float,
    ) -> Statement:
        """Return what an answer says whose signatures have verified; again, for other records.

        Raises:
            Refused: a record that does not count, or answers something else.
        """
        last = opened[-1][0]
        if not is_answer(last, query):
            refuse("other_answer", "a record that answers something else")
        record = verify_foreign(
            opened, self.records, unix_s=unix_s, attachment_limit_s=self.attachment_limit_s
        )
        left_s = min(record.expires_unix_s for record, _ in opened) - unix_s
        kept = None if isinstance(record, Absence) else record
        return Statement(kept, envelopes, opened, now_s + left_s)


def is_same(new: Statement | None, old: Statement | None) -> bool:
    """Return whether one says what the other said; to know nothing is to have no record."""
    return (new and new.record) == (old and old.record)


def is_answer(record: AnyRecord, query: Query) -> bool:
    """Return whether a record is about what a query asks for."""
    match record:
        case Enrolment():
            return query in (Addressed(record.address), *map(Named, record.names))
        case GroupRecord():
            return query in (Addressed(record.group), Named(record.name))
        case AttachmentRecord():
            return query == Attached(record.host)
        case Absence():
            return query == subject_of(record)
        case DomainRecord() | NodeRecord():
            return False


def subject_of(absence: Absence) -> Query:
    """Return the query that an absence answers."""
    if absence.name:
        return Named(absence.name)
    return Attached(absence.address) if absence.is_attachment else Addressed(absence.address)


def absence_of(query: Query, *, expires_unix_s: int) -> Absence:
    """Return the statement that nothing answers `query`."""
    match query:
        case Named(name):
            return Absence(name, b"", is_attachment=False, expires_unix_s=expires_unix_s)
        case Addressed(address):
            return Absence("", address, is_attachment=False, expires_unix_s=expires_unix_s)
        case Attached(host):
            return Absence("", host, is_attachment=True, expires_unix_s=expires_unix_s)


def check_newer(new: Statement, known: Statement) -> None:
    """Check that an answer does not take back what a later statement of the same said.

    Raises:
        Refused: it is older; or as old, and says something else.
    """
    if not new.envelopes or not known.envelopes or new.envelopes[-1] == known.envelopes[-1]:
        return
    match new.record, known.record:
        case (AttachmentRecord() as record, AttachmentRecord() as before) | (
            GroupRecord() as record,
            GroupRecord() as before,
        ):
            if record.sequence <= before.sequence:
                refuse("older", f"sequence {record.sequence} is not above {before.sequence}")
        case Enrolment() as record, Enrolment() as before:
            is_same = record.address == before.address
            if is_same and record.expires_unix_s <= before.expires_unix_s:
                refuse("older", "an enrolment that expires no later than the one known")
        case _:
            pass


def word_of(error: IntegrityError | Refused) -> str:
    """Return the word to count a refusal by."""
    return error.word or "malformed"
