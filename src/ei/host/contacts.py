"""Whom a host knows beyond its own records: others, asked for at its node's directory.

Every answer is verified by the host itself. What comes from a host that is not known yet waits,
bounded, until it is known who that is.
"""

from collections import ChainMap, Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ei.directory.messages import (
    Addressed,
    Attached,
    Find,
    Found,
    Named,
    Query,
    Registered,
    Unfound,
    decode,
    encode,
)
from ei.directory.statements import is_answer
from ei.errors import IntegrityError, PeerError
from ei.host.deadlines import earliest
from ei.host.events import ContactLearned
from ei.records.envelope import open_record
from ei.records.fields import Refused, refuse
from ei.records.foreign import verify_foreign
from ei.records.kinds import MAX_ATTACHMENT_S, Enrolment, GroupRecord
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

NS_PER_S = 1_000_000_000
RETRY_NS = 300_000_000
MAX_TRIES = 4
"""Asked again after 0.3, 0.6 and 1.2 s; given up 2.4 s later."""
MISSING_NS = NS_PER_S
"""How long it is believed that there is no answer."""
MAX_CONTACTS = 4_096
MAX_ASKED = 1_024
MAX_HELD_SOURCES = 256
MAX_HELD_EACH = 64

ItemT = TypeVar("ItemT")


@dataclass(slots=True)
class _Asked:
    query: Query
    tries: int = 0
    due_ns: int = 0


@dataclass(slots=True)
class _Learned:
    enrolments: dict[Address, Enrolment] = field(default_factory=dict[Address, Enrolment])
    groups: dict[Address, GroupRecord] = field(default_factory=dict[Address, GroupRecord])
    names: dict[str, Address] = field(default_factory=dict[str, Address])


class Contacts(Generic[ItemT]):
    """The records of a host, and what it learned beside them.

    Args:
        records: From its file.
        send: Sends a message to the directory of a node, at a time; may raise nothing.
        emit: Gets `ContactLearned`, also when there was no answer.
        registered: Gets what is said of the host's own attachment, and when.
        unix_offset_ns: Wall clock minus monotonic time.
    """

    def __init__(
        self,
        records: RecordSet,
        *,
        send: Callable[[int, bytes], None],
        emit: Callable[[ContactLearned], None],
        registered: Callable[[int, Registered], None],
        unix_offset_ns: int,
    ) -> None:
        self._registered = registered
        self._base = records
        self._send = send
        self._emit = emit
        self._unix_offset_ns = unix_offset_ns
        self._learned = _Learned()
        self._asked: dict[int, _Asked] = {}
        self._missing: dict[Query, tuple[int, str]] = {}
        self._held: dict[Address, deque[ItemT]] = {}
        self._number = 0
        self.records = self._layered()
        self.dropped: Counter[str] = Counter()

    def update(self, records: RecordSet) -> None:
        """Go over to another file; what was learned stays unless its keys are revoked."""
        revoked = {key for keys in records.revoked.values() for key in keys}
        kept: list[Enrolment | GroupRecord] = [
            enrolment
            for enrolment in self._learned.enrolments.values()
            if not {enrolment.identity_key, enrolment.pipe_key} & revoked
        ]
        kept += [one for one in self._learned.groups.values() if one.owner_key not in revoked]
        self._base, self._learned = records, _Learned()
        self.records = self._layered()
        for record in kept:
            self._keep(record)

    def knows(self, host: Address) -> bool:
        """Return whether the host's keys are known."""
        return host in self.records.enrolments

    def ask(self, now_ns: int, query: Query) -> None:
        """Ask the directory, unless that was asked and not answered yet; `ContactLearned` follows.

        Args:
            query: A name or an address: where others are attached is not told to hosts.
        """
        if any(asked.query == query for asked in self._asked.values()):
            return
        until_ns, reason = self._missing.get(query, (now_ns, ""))
        if until_ns > now_ns or len(self._asked) >= MAX_ASKED:
            self._emit(ContactLearned(query, reason if until_ns > now_ns else "busy"))
            return
        self._number = (self._number + 1) % 2**32
        self._asked[self._number] = _Asked(query, due_ns=now_ns)
        self._ask_due(now_ns)

    def hold(self, now_ns: int, source: Address, item: ItemT) -> None:
        """Keep what came from a host that is not known yet, and ask who that is."""
        held = self._held.get(source)
        if held is None and len(self._held) >= MAX_HELD_SOURCES:
            self.dropped["contacts_full"] += 1
            return
        held = self._held.setdefault(source, deque())
        if len(held) >= MAX_HELD_EACH:
            self.dropped["contacts_full"] += 1
            return
        held.append(item)
        self.ask(now_ns, Addressed(source))

    def take_held(self, source: Address) -> list[ItemT]:
        """Return what was kept of a host, oldest first, once."""
        return list(self._held.pop(source, ()))

    def hear(self, now_ns: int, message: bytes) -> None:
        """Take what a node's directory says; anything wrong is counted."""
        try:
            said = decode(message)
        except PeerError:
            self.dropped["bad_message"] += 1
            return
        match said:
            case Found(number=number, envelopes=envelopes):
                self._take_answer(now_ns, number, envelopes)
            case Unfound(number=number, reason=reason):
                if (asked := self._asked.pop(number, None)) is not None:
                    self._miss(now_ns, asked.query, reason)
            case Registered():
                self._registered(now_ns, said)
            case _:
                self.dropped["unexpected_message"] += 1

    def poll(self, now_ns: int) -> None:
        """Ask again what was not answered, or give it up."""
        self._ask_due(now_ns)

    def next_deadline_ns(self) -> int | None:
        """Return when `poll` has something to do next."""
        return earliest(*[asked.due_ns for asked in self._asked.values()])

    # -- inside ----------------------------------------------------------------------------------

    def _ask_due(self, now_ns: int) -> None:
        for number, asked in list(self._asked.items()):
            if asked.due_ns > now_ns:
                continue
            if asked.tries == MAX_TRIES:
                del self._asked[number]
                self._miss(now_ns, asked.query, "no_answer")
                continue
            asked.due_ns = now_ns + RETRY_NS * 2**asked.tries
            asked.tries += 1
            self._send(now_ns, encode(Find(number, asked.query)))

    def _take_answer(self, now_ns: int, number: int, envelopes: tuple[bytes, ...]) -> None:
        asked = self._asked.get(number)
        if asked is None:
            self.dropped["unexpected_message"] += 1
            return
        try:
            record = self._verified(now_ns, asked.query, envelopes)
        except (IntegrityError, Refused) as error:
            # Somebody may answer better: the question goes on.
            self.dropped[error.word or "malformed"] += 1
            return
        del self._asked[number]
        if record is None:
            self._miss(now_ns, asked.query, "not_found")
            return
        self._keep(record)
        self._emit(ContactLearned(asked.query))

    def _verified(
        self, now_ns: int, query: Query, envelopes: tuple[bytes, ...]
    ) -> Enrolment | GroupRecord | None:
        record = verify_foreign(
            [open_record(envelope) for envelope in envelopes],
            self.records,
            unix_s=(now_ns + self._unix_offset_ns) / NS_PER_S,
            attachment_limit_s=MAX_ATTACHMENT_S,
        )
        # Hosts ask for no attachment, so none answers them.
        if not is_answer(record, query):
            refuse("other_answer", "a record that answers something else")
        return record if isinstance(record, Enrolment | GroupRecord) else None

    def _keep(self, record: Enrolment | GroupRecord) -> None:
        learned = self._learned
        match record:
            case Enrolment(address=address, names=names):
                while len(learned.enrolments) >= MAX_CONTACTS:
                    oldest = learned.enrolments.pop(next(iter(learned.enrolments)))
                    for name in oldest.names:
                        _ = learned.names.pop(name, None)
                learned.enrolments[address] = record
                learned.names.update(dict.fromkeys(names, address))
            case GroupRecord(group=group, name=name):
                while len(learned.groups) >= MAX_CONTACTS:
                    _ = learned.names.pop(learned.groups.pop(next(iter(learned.groups))).name, None)
                learned.groups[group] = record
                learned.names[name] = group

    def _miss(self, now_ns: int, query: Query, reason: str) -> None:
        if len(self._missing) >= MAX_ASKED:
            del self._missing[next(iter(self._missing))]
        self._missing[query] = (now_ns + MISSING_NS, reason)
        match query:
            case Addressed(address) | Attached(address):
                held = self._held.pop(Address(address), ())
                self.dropped["unknown_source"] += len(held)
            case Named():
                pass
        self._emit(ContactLearned(query, reason))

    def _layered(self) -> RecordSet:
        base, learned = self._base, self._learned
        return replace(
            base,
            enrolments=ChainMap(learned.enrolments, base.enrolments),  # type: ignore[arg-type]
            groups=ChainMap(learned.groups, base.groups),  # type: ignore[arg-type]
            names=ChainMap(learned.names, base.names),  # type: ignore[arg-type]
        )
