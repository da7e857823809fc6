"""The directory as one node has it: asks for its services and hosts, answers for its domain.

directory = Directory(keys=..., address=..., records=..., store=...)
resolution, sends = directory.ask(Attached(host), now_s=..., unix_s=...)
sends = directory.take(sender, message, now_s=..., unix_s=...)      control messages of service 2
sends = directory.peer_changed(peer, is_up=..., now_s=..., unix_s=...)
sends = directory.poll(now_s=..., unix_s=...)                       at next_deadline_s() or later
sends = directory.update(records, now_s=..., unix_s=...)
for resolution in directory.take_answers(): ...                     after any of them

`sends` are pairs of peer and message, to go by `send_control(peer, DIRECTORY, message)`. What came
at the same time is to be taken before the next `poll`: it is written down by one commit.
"""

from collections import Counter

from ei.directory.authority import Authority
from ei.directory.filed import filed
from ei.directory.handing import Handing
from ei.directory.messages import (
    Answer,
    Ask,
    Attached,
    Find,
    Found,
    Message,
    Query,
    Refused,
    Register,
    Registered,
    Release,
    Unfound,
    decode,
    encode,
)
from ei.directory.places import NO_WAYS, Places, Ways
from ei.directory.publishing import Publishing
from ei.directory.rates import Rates
from ei.directory.registering import Registering
from ei.directory.resolver import Resolver, Settled
from ei.directory.statements import Open, Reader, Statement, is_same
from ei.directory.statistics import DirectoryStatistics
from ei.directory.stores import MemoryStore, Store
from ei.directory.subscriptions import MAX_OF_RECORD
from ei.directory.uses import Resolution, Uses, resolved
from ei.directory.waiting import Waiters, Waiting
from ei.errors import PeerError
from ei.records.envelope import open_record
from ei.records.keys import Keys
from ei.records.kinds import MAX_ATTACHMENT_S
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

HOST_RATE_PER_S, HOST_BURST = 50, 100
NODE_RATE_PER_S, NODE_BURST = 5_000, 20_000

Sends = list[tuple[Address, bytes]]


class Directory:
    """One node's directory.

    Args:
        keys: The node's own.
        address: The node's own.
        records: Of all domains and nodes, and of its own domain's hosts and groups.
        attachment_limit_s: Longest time that an attachment may still have to live.
        store: Of registered attachments; by default they end with the process.
        open_envelope: Opens signed records; may remember what it has opened.
        limit_of_record: Subscribers of one query.
        ways: Between domains, to directories that cannot be reached directly.
    """

    def __init__(  # noqa: PLR0913 all that it rests on
        self,
        *,
        keys: Keys,
        address: Address,
        records: RecordSet,
        attachment_limit_s: int = MAX_ATTACHMENT_S,
        store: Store | None = None,
        open_envelope: Open = open_record,
        limit_of_record: int = MAX_OF_RECORD,
        ways: Ways = NO_WAYS,
    ) -> None:
        self._address = address
        self._records = records
        self._attachment_limit_s = attachment_limit_s
        self._open_envelope = open_envelope
        self._places = Places(address, records, ways)
        self._ways = ways
        reader = self._reader(records)
        self._authority = Authority(keys=keys, reader=reader, store=store or MemoryStore())
        self._publishing = Publishing(send=self._send, limit_of_record=limit_of_record)
        self._resolver = Resolver(
            places=self._places,
            reader=reader,
            send=self._send,
            count=self._count,
            is_followed=self._publishing.is_followed,
        )
        self._registering = Registering(
            authority=self._authority,
            handing=Handing(send=self._send),
            send=self._send,
            count=self._count,
            open_envelope=open_envelope,
        )
        self._waiting = Waiting()
        self._host_rates = Rates(rate_per_s=HOST_RATE_PER_S, burst=HOST_BURST)
        self._node_rates = Rates(rate_per_s=NODE_RATE_PER_S, burst=NODE_BURST)
        self._uses = Uses()
        self._sends: Sends = []
        self._refused: Counter[str] = Counter()
        self._taken = 0

    def __repr__(self) -> str:
        role = "directory" if self._places.is_directory else "node"
        return f"<Directory of a {role}, {self._resolver!r} {self._publishing!r}>"

    # -- for the node ----------------------------------------------------------------------------

    def ask(self, query: Query, *, now_s: float, unix_s: float) -> tuple[Resolution | None, Sends]:
        """Return what is known, or `None` when it is asked for: `take_answers` will have it.

        Changes of what was asked for within the last minute come by `take_answers` as well.
        """
        self._authority.load(now_s=now_s, unix_s=unix_s)
        self._uses.note(query, now_s=now_s)
        statement = self._known(query, now_s=now_s, unix_s=unix_s)
        if statement is not None:
            resolution = resolved(query, statement)
        elif self._places.home_of(query) is None:
            self._count("unknown_domain")
            resolution = Resolution(query, None, "unknown_domain")
        else:
            resolution = None
            self._waiting.add_local(query)
            self._resolver.want(query, now_s=now_s)
            self._settle(now_s=now_s)
        return resolution, self._take_sends()

    def take_answers(self) -> list[Resolution]:
        """Return what came to what `ask` could not answer, and what has changed since it did."""
        return self._uses.take()

    def take(self, sender: Address, message: bytes, *, now_s: float, unix_s: float) -> Sends:
        """Take a control message from a peer. Whatever it is, it raises nothing."""
        self._authority.load(now_s=now_s, unix_s=unix_s)
        try:
            decoded = decode(message)
        except PeerError as error:
            self._count(error.word)
            return []
        self._taken += 1
        if sender in self._records.nodes:
            self._take_of_node(sender, decoded, now_s=now_s, unix_s=unix_s)
        else:
            self._take_of_host(sender, decoded, now_s=now_s, unix_s=unix_s)
        self._settle(now_s=now_s)
        return self._take_sends()

    def peer_changed(self, peer: Address, *, is_up: bool, now_s: float, unix_s: float) -> Sends:
        """Take it that a pipe came up or went down."""
        self._authority.load(now_s=now_s, unix_s=unix_s)
        if is_up:
            self._resolver.peer_up(peer)
            self._registering.peer_up(peer, is_sibling=self._places.is_sibling(peer), now_s=now_s)
            self._tell_missed(peer, now_s=now_s, unix_s=unix_s)
        else:
            self._resolver.peer_down(peer, now_s=now_s)
            self._publishing.peer_down(peer)
            self._registering.peer_down(peer, now_s=now_s)
        self._settle(now_s=now_s)
        return self._take_sends()

    def poll(self, *, now_s: float, unix_s: float) -> Sends:
        """Do what time asks for, and write down what was registered."""
        self._authority.load(now_s=now_s, unix_s=unix_s)
        self._authority.expire(now_s)
        self._publishing.expire(now_s)
        self._resolver.poll(now_s)
        self._registering.poll(now_s)
        if self._registering.staged:
            self._commit(now_s=now_s, unix_s=unix_s)
        self._settle(now_s=now_s)
        return self._take_sends()

    def next_deadline_s(self) -> float:
        """Return when `poll` has something to do: 0 for at once, infinity for never."""
        if self._registering.staged or not self._authority.is_loaded:
            return 0.0
        return min(
            self._authority.deadlines.next_s,
            self._publishing.deadlines.next_s,
            self._resolver.deadlines.next_s,
            self._resolver.checks.next_s,
            self._registering.deadlines.next_s,
        )

    def update(self, records: RecordSet, *, now_s: float, unix_s: float) -> Sends:
        """Go over to a new record set."""
        self._authority.load(now_s=now_s, unix_s=unix_s)
        followed = [
            query
            for query in {*self._publishing.queries(), *self._uses.queries()}
            if self._places.answers(query)
        ]
        before = {q: self._authority.look(q, now_s=now_s, unix_s=unix_s) for q in followed}
        self._records = records
        self._places = Places(self._address, records, self._ways)
        reader = self._reader(records)
        self._authority.use(reader, now_s=now_s, unix_s=unix_s)
        self._resolver.change(self._places, reader, now_s=now_s, unix_s=unix_s)
        for query, statement in before.items():
            after = self._authority.look(query, now_s=now_s, unix_s=unix_s)
            if self._places.answers(query) and not is_same(after, statement):
                after = self._authority.answer(query, now_s=now_s, unix_s=unix_s)
                self._changed(query, after, now_s=now_s)
        self._settle(now_s=now_s)
        return self._take_sends()

    def statistics(self) -> DirectoryStatistics:
        """Return what there is, and what was counted."""
        return DirectoryStatistics(
            is_directory=self._places.is_directory,
            taken=self._taken,
            registered=len(self._authority),
            publishing=self._publishing.statistics(),
            resolver=self._resolver.statistics(),
            handing=self._registering.statistics(),
            refused=dict(self._refused),
        )

    # -- messages --------------------------------------------------------------------------------

    def _take_of_host(
        self, host: Address, message: Message, *, now_s: float, unix_s: float
    ) -> None:
        match message:
            case Find():
                self._find(host, message.number, message.query, now_s=now_s, unix_s=unix_s)
            case Register(envelope):
                if self._host_rates.is_allowed(host, now_s):
                    self._registering.take_of_host(
                        host, envelope, self._places, now_s=now_s, unix_s=unix_s
                    )
                else:
                    self._count("busy")
            case _:
                self._count("hosts_may_not")

    def _take_of_node(
        self, node: Address, message: Message, *, now_s: float, unix_s: float
    ) -> None:
        match message:
            case Ask(query, lease_s):
                self._asked(node, query, lease_s, now_s=now_s, unix_s=unix_s)
            case Answer():
                self._resolver.take_answer(node, message, now_s=now_s, unix_s=unix_s)
            case Refused():
                self._resolver.take_refused(node, message, now_s=now_s)
            case Release(query):
                self._publishing.release(query, node)
            case Register(envelope):
                self._registering.take_of_node(
                    node, envelope, self._places, now_s=now_s, unix_s=unix_s
                )
            case Registered():
                self._registering.take_registered(node, message, now_s=now_s)
            case Find() | Found() | Unfound():
                self._count("nodes_may_not")

    def _find(
        self, host: Address, number: int, query: Query, *, now_s: float, unix_s: float
    ) -> None:
        if type(query) is Attached:
            self._refuse(host, number, "attachment_asked")
        elif not self._host_rates.is_allowed(host, now_s):
            self._refuse(host, number, "busy")
        elif (statement := self._known(query, now_s=now_s, unix_s=unix_s)) is not None:
            self._tell_host(host, number, statement)
        elif self._places.home_of(query) is None:
            self._refuse(host, number, "unknown_domain")
        elif self._waiting.add_find(query, host, number):
            self._resolver.want(query, now_s=now_s)
        else:
            self._refuse(host, number, "busy")

    def _refuse(self, host: Address, number: int, reason: str) -> None:
        self._count(reason)
        self._send(host, Unfound(number, reason))

    def _asked(
        self, node: Address, query: Query, lease_s: int, *, now_s: float, unix_s: float
    ) -> None:
        reason = ""
        if not self._node_rates.is_allowed(node, now_s):
            reason = "busy"
        elif not self._places.is_directory:
            reason = "not_a_directory"
        elif not self._places.may_ask(node, query):
            reason = "not_home"
        elif self._places.home_of(query) is None:
            reason = "unknown_domain"
        if reason:
            self._count(reason)
            self._send(node, Refused(query, reason))
            return
        statement = self._known(query, now_s=now_s, unix_s=unix_s)
        if statement is not None and statement.envelopes:
            self._publishing.answer(node, query, statement, lease_s, now_s=now_s)
        else:
            self._waiting.add_node(query, node, lease_s)
            self._resolver.want(query, now_s=now_s)

    # -- parts -----------------------------------------------------------------------------------

    def _known(self, query: Query, *, now_s: float, unix_s: float) -> Statement | None:
        """Return the answer that needs nobody else."""
        statement = filed(query, self._records, now_s=now_s, unix_s=unix_s)
        if statement is not None:
            return statement
        if self._places.answers(query):
            return self._authority.answer(query, now_s=now_s, unix_s=unix_s)
        entry = self._resolver.use(query, now_s=now_s)
        return None if entry is None else entry.statement

    def _commit(self, *, now_s: float, unix_s: float) -> None:
        for host in self._registering.commit(self._places, now_s=now_s, unix_s=unix_s):
            query = Attached(host)
            statement = self._authority.answer(query, now_s=now_s, unix_s=unix_s)
            self._changed(query, statement, now_s=now_s)

    def _settle(self, *, now_s: float) -> None:
        for settled in self._resolver.take_settled():
            self._settle_one(settled, now_s=now_s)

    def _settle_one(self, settled: Settled, *, now_s: float) -> None:
        query, statement = settled.query, settled.statement
        waiters = self._waiting.take(query)
        if statement is None:
            self._count(settled.reason)
            self._give_up(settled, waiters, now_s=now_s)
            return
        for host, number in waiters.finds:
            self._tell_host(host, number, statement)
        for node, lease_s in waiters.nodes.items():
            self._publishing.answer(node, query, statement, lease_s, now_s=now_s)
        if settled.is_changed:
            self._publishing.tell(query, statement, now_s=now_s, but=waiters.nodes)
        if settled.is_changed or waiters.is_local:
            self._uses.tell(resolved(query, statement), now_s=now_s)

    def _give_up(self, settled: Settled, waiters: Waiters, *, now_s: float) -> None:
        query, reason = settled.query, settled.reason
        for host, number in waiters.finds:
            self._send(host, Unfound(number, reason))
        for node in waiters.nodes:
            self._send(node, Refused(query, reason))
        if settled.is_changed or waiters.is_local:
            self._uses.tell(Resolution(query, None, reason), now_s=now_s)

    def _changed(self, query: Query, statement: Statement, *, now_s: float) -> None:
        self._publishing.tell(query, statement, now_s=now_s)
        self._uses.tell(resolved(query, statement), now_s=now_s)

    def _tell_missed(self, peer: Address, *, now_s: float, unix_s: float) -> None:
        for query in self._publishing.take_missed(peer):
            statement = self._known(query, now_s=now_s, unix_s=unix_s)
            if statement is not None and statement.envelopes:
                self._publishing.tell(query, statement, now_s=now_s, only=peer)

    def _tell_host(self, host: Address, number: int, statement: Statement) -> None:
        if statement.envelopes:
            self._send(host, Found(number, statement.envelopes))
        else:
            self._send(host, Unfound(number, "is_a_node"))

    def _reader(self, records: RecordSet) -> Reader:
        return Reader(records, self._attachment_limit_s, self._open_envelope)

    def _count(self, reason: str) -> None:
        self._refused[reason] += 1

    def _send(self, peer: Address, message: Message) -> None:
        self._sends.append((peer, encode(message)))

    def _take_sends(self) -> Sends:
        sends, self._sends = self._sends, []
        return sends
