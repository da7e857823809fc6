"""What a domain answers about itself: from its records, and from what its hosts have registered."""

from collections import OrderedDict
from dataclasses import dataclass

from ei.directory.deadlines import Deadlines
from ei.directory.filed import filed
from ei.directory.messages import Attached, Query
from ei.directory.statements import Reader, Statement, absence_of, check_newer
from ei.directory.stores import Store
from ei.errors import IntegrityError, LimitError
from ei.records.envelope import seal_record
from ei.records.fields import Refused, refuse
from ei.records.keys import Keys
from ei.records.kinds import AttachmentRecord
from ei.sdk.packets import Address

ABSENCE_S = 30
"""How long it holds that something is not there; readers take twice as much, for their clocks."""

MAX_ABSENCES = 4_096


@dataclass(frozen=True, slots=True)
class Registration:
    """An attachment that a host has registered.

    Attributes:
        at_s: When, by this node's clock.
    """

    record: AttachmentRecord
    statement: Statement
    at_s: float


class Authority:
    """One directory node of a domain.

    Args:
        keys: The node's own: they sign what is not there.
        reader: With the records of the domain.
        store: Keeps registered attachments; loaded when the time is known.

    Attributes:
        is_loaded: They are.
        deadlines: When attachments expire.
    """

    def __init__(self, *, keys: Keys, reader: Reader, store: Store) -> None:
        self._keys = keys
        self._reader = reader
        self._store = store
        self._registered: dict[Address, Registration] = {}
        self._staged: dict[Address, Registration] = {}
        self.deadlines: Deadlines[Address] = Deadlines()
        self._absences: OrderedDict[Query, Statement] = OrderedDict()
        self.is_loaded = False

    def __repr__(self) -> str:
        return f"<Authority with {len(self._registered)} attachments registered>"

    def __len__(self) -> int:
        return len(self._registered)

    def load(self, *, now_s: float, unix_s: float) -> None:
        """Load what the store has, once; to be called before anything else."""
        if self.is_loaded:
            return
        self.is_loaded = True
        for envelope in self._store.load():
            try:
                registration = self._weigh(envelope, now_s=now_s, unix_s=unix_s)
            except (IntegrityError, Refused):
                continue  # expired, or its host was revoked meanwhile
            self._keep(registration)

    # -- answering -------------------------------------------------------------------------------

    def answer(self, query: Query, *, now_s: float, unix_s: float) -> Statement:
        """Return the answer to a query about this domain; an absence is signed when needed."""
        found = self.look(query, now_s=now_s, unix_s=unix_s)
        return found or self._absence(query, now_s=now_s, unix_s=unix_s)

    def look(self, query: Query, *, now_s: float, unix_s: float) -> Statement | None:
        """Return the answer to a query about this domain; `None` when there is no such record."""
        if isinstance(query, Attached):
            return self._attachment(Address(query.host), now_s=now_s, unix_s=unix_s)
        found = filed(query, self._reader.records, now_s=now_s, unix_s=unix_s)
        return found if found is not None and found.envelopes else None

    def _attachment(self, host: Address, *, now_s: float, unix_s: float) -> Statement | None:
        records = self._reader.records
        enrolment = records.envelopes.get(host)
        if enrolment is None:
            return None
        registered = self._registered.get(host)
        written = records.attachments.get(host)  # in the file
        last = -1 if registered is None else registered.record.sequence
        if written is not None and written.expires_unix_s > unix_s and written.sequence > last:
            envelopes = (enrolment, records.attachment_envelopes[host])
            return Statement(written, envelopes, (), now_s + written.expires_unix_s - unix_s)
        if registered is None or registered.statement.expires_s <= now_s:
            return None
        statement = registered.statement
        return Statement(
            registered.record, (enrolment, *statement.envelopes), (), statement.expires_s
        )

    def _absence(self, query: Query, *, now_s: float, unix_s: float) -> Statement:
        known = self._absences.get(query)
        if known is not None and known.expires_s > now_s + ABSENCE_S / 2:
            return known
        record = absence_of(query, expires_unix_s=int(unix_s) + ABSENCE_S)
        # Kept by the monotonic clock; nobody is to hold it past the second that is cut off.
        signed = Statement(None, (seal_record(record, self._keys),), (), now_s + ABSENCE_S - 1)
        self._absences[query] = signed
        self._absences.move_to_end(query)
        if len(self._absences) > MAX_ABSENCES:
            _ = self._absences.popitem(last=False)
        return signed

    # -- registering -----------------------------------------------------------------------------

    def register(self, envelope: bytes, *, now_s: float, unix_s: float) -> Registration:
        """Keep the attachment of a host of this domain, once `commit` says so.

        The same one again is no fault.

        Raises:
            IntegrityError, Refused: it does not count.
            LimitError: the store is full; what was known stays.
        """
        registration = self._weigh(envelope, now_s=now_s, unix_s=unix_s)
        known = self._known(registration.record.host)
        if known is not None:
            if known.statement.envelopes == registration.statement.envelopes:
                return known
            check_newer(registration.statement, known.statement)
        self._store.keep(registration.record.host, envelope)
        self._staged[registration.record.host] = registration
        return registration

    def commit(self) -> bool:
        """Have what was registered on disk, and answer with it from now on; return whether it is.

        If not, all is as before the last commit.
        """
        staged, self._staged = self._staged, {}
        try:
            self._store.commit()
        except LimitError:
            return False
        for registration in staged.values():
            self._keep(registration)
        return True

    def registered_since(self, since_s: float) -> list[Registration]:
        """Return what was registered at that time or later."""
        return [each for each in self._registered.values() if each.at_s >= since_s]

    def use(self, reader: Reader, *, now_s: float, unix_s: float) -> None:
        """Go over to other records; attachments that do not count by them are forgotten."""
        self._reader = reader
        self._absences.clear()
        for host, registration in list(self._registered.items()):
            statement = registration.statement
            query = Attached(host)
            try:
                weighed = reader.weigh(
                    query, statement.envelopes, statement.opened, now_s=now_s, unix_s=unix_s
                )
            except Refused as refused:
                if refused.word != "expired":  # a wall clock that jumped; `expire` sees to it
                    self._forget(host)
                continue
            if isinstance(weighed.record, AttachmentRecord):
                kept = Statement(
                    weighed.record, statement.envelopes, statement.opened, statement.expires_s
                )
                self._registered[host] = Registration(weighed.record, kept, registration.at_s)

    def expire(self, now_s: float) -> None:
        """Forget the attachments whose time is over."""
        while (host := self.deadlines.take_due(now_s)) is not None:
            self._forget(host)

    def _weigh(self, envelope: bytes, *, now_s: float, unix_s: float) -> Registration:
        record, signer = self._reader.open_envelope(envelope)
        if not isinstance(record, AttachmentRecord):
            refuse("other_answer", "a record that is no attachment")
        known = self._known(record.host)
        if known is not None and known.statement.envelopes == (envelope,):
            return known
        statement = self._reader.weigh(
            Attached(record.host), (envelope,), ((record, signer),), now_s=now_s, unix_s=unix_s
        )
        kept = statement.record if isinstance(statement.record, AttachmentRecord) else record
        return Registration(kept, statement, now_s)

    def _known(self, host: Address) -> Registration | None:
        return self._staged.get(host) or self._registered.get(host)

    def _keep(self, registration: Registration) -> None:
        host = registration.record.host
        self._registered[host] = registration
        self.deadlines.set(host, registration.statement.expires_s)

    def _forget(self, host: Address) -> None:
        _ = self._registered.pop(host, None)
        self.deadlines.clear(host)
        self._store.forget(host)
