"""The pure core of a host: datagrams, service calls, control messages and pings.

Its owner calls `process` when the datapath received something, `poll` when `next_deadline_ns` has
come, takes what happened by `take_events`, and sends what the datapath then holds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ei._core import Datapath, EndToEnd, Streams
from ei.attachment import ATTACHMENT, Explained
from ei.directory.messages import DIRECTORY, Addressed
from ei.host.attaching import Attaching, Told
from ei.host.attachments import Attachments
from ei.host.calling import Calling
from ei.host.circuit_connections import CircuitConnections
from ei.host.constraints import Constraints
from ei.host.contacts import Contacts
from ei.host.datagrams import Datagrams
from ei.host.deadlines import earliest
from ei.host.events import (
    ContactLearned,
    ControlReceived,
    HostEvent,
    PacketReceived,
    StatementReceived,
)
from ei.host.finding import find_enrolment, find_nodes, lost_keys
from ei.host.inquiries import Inquiries
from ei.host.registering import Registering
from ei.host.sessions import DELIVERY, Outgoing, Sessions
from ei.host.sizes import largest_sealed
from ei.host.stream_connections import StreamConnections
from ei.records.keys import Keys
from ei.records.record_set import RecordSet
from ei.records.revocation import REVOCATION_LIMIT_S
from ei.sdk.packets import Address, Protection

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a host is."""

    name: str
    address: Address
    keys: Keys


@dataclass(frozen=True, slots=True)
class StackStatistics:
    """Counts since the start: frames by kind sent and received, and what was dropped, by reason."""

    sent: dict[str, int]
    received: dict[str, int]
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Arrived:
    """Payloads of one connection of delivery."""

    source: Address
    connection: int
    protection: int
    payloads: list[bytes]


class Stack:
    """One host.

    Args:
        identity: Enrolled in `records`.
        records: Who the others are.
        nodes: Names of the nodes to attach to; none takes those of the host's attachment record.
        seed: 32 bytes for a repeatable run; `None` takes the system's randomness.
        numbers: Draws connection numbers.
        unix_offset_ns: Wall clock minus monotonic time.
        revocation_limit_s: No node is called whose domain's list of revoked keys is older.
        guards: Numbers of the services that its nodes run before the pipe to it, as it signs.
        has_log: Keep the datapath's event log (simulation).

    Raises:
        ConfigError: the records do not know this host by its name and keys, or not its nodes.
    """

    def __init__(  # noqa: PLR0913 all that a host is made of
        self,
        identity: Identity,
        records: RecordSet,
        *,
        nodes: Sequence[str] = (),
        seed: bytes | None = None,
        numbers: Random,
        unix_offset_ns: int = 0,
        max_datagram_bytes: int = 1_452,
        revocation_limit_s: int = REVOCATION_LIMIT_S,
        guards: tuple[int, ...] | None = None,
        has_log: bool = False,
    ) -> None:
        self.identity = identity
        self._numbers = numbers
        found = find_nodes(identity, records, nodes)
        self.datapath = Datapath(
            role="host",
            address=identity.address,
            private_key=identity.keys.pipe_secret,
            seed=seed,
            unix_offset_ns=unix_offset_ns,
            cache_entries=0,
            max_datagram_bytes=max_datagram_bytes,
            has_log=has_log,
        )
        self.constraints = Constraints()
        self._dropped: Counter[str] = Counter()
        self._registering = Registering(
            identity.address,
            identity.keys,
            send=self._ask,
            dropped=self._dropped,
            unix_offset_ns=unix_offset_ns,
            guards=guards,
        )
        self.contacts: Contacts[_Arrived] = Contacts(
            records,
            send=self._ask,
            emit=self._learn,
            registered=self._registering.hear,
            unix_offset_ns=unix_offset_ns,
        )
        sessions = Sessions(
            identity.address,
            EndToEnd(identity.keys.pipe_secret, seed=seed, unix_offset_ns=unix_offset_ns),
            records=lambda: self.contacts.records,
            draw=self.draw_number,
        )
        self.datagrams = Datagrams(
            sessions,
            send=self._send,
            emit=self._emit,
            max_sealed_bytes=largest_sealed(max_datagram_bytes),
        )
        self.streams = StreamConnections(
            identity.address,
            lambda: Streams(identity_key=identity.keys.identity_secret, seed=seed),
            records=lambda: self.contacts.records,
            draw=self.draw_number,
            emit=self._emit,
        )
        self.circuits = CircuitConnections(
            self.streams,
            identity.address,
            records=lambda: self.contacts.records,
            numbers=numbers,
            is_seeded=seed is not None,
            emit=self._emit,
        )
        told = Told(
            self._emit, self._dropped, moved=self.streams.path_changed,
            lost=self.circuits.lose_node, explained=self._explained, greets=self._registering.guard,
        )  # fmt: skip
        self._attaching = Attaching(
            self.datapath,
            found,
            records=lambda: self.contacts.records,
            unix_offset_ns=unix_offset_ns,
            revocation_limit_s=revocation_limit_s,
            told=told,
        )
        self.calling = Calling(
            self.datapath,
            attachments=lambda: self.attachments,
            records=lambda: self.records,
            max_datagram_bytes=max_datagram_bytes,
        )
        self.inquiries = Inquiries(
            identity.address, records=lambda: self.records, draw=self.draw_number
        )
        self._events: list[HostEvent] = []
        self._learned: list[Address] = []
        self._received: Counter[str] = Counter()

    # -- asking ----------------------------------------------------------------------------------

    @property
    def records(self) -> RecordSet:
        """The records in use, and what was learned beside them."""
        return self.contacts.records

    @property
    def attachments(self) -> Attachments:
        """The nodes of this host."""
        return self._attaching.attachments

    @property
    def is_registered(self) -> bool:
        """Whether the directory of its home has said that it knows where this host is attached."""
        return self._registering.is_registered

    def draw_number(self) -> int:
        """Return a random connection number, 64 bits."""
        return self._numbers.getrandbits(64)

    def statistics(self) -> StackStatistics:
        """Return counts since the start."""
        return StackStatistics(
            dict(self.calling.sent + self.datagrams.sent),
            dict(self._received + self.datagrams.received),
            dict(
                self._dropped
                + self.calling.dropped
                + self.datagrams.dropped
                + self.streams.dropped
                + self.contacts.dropped
                + self.inquiries.dropped
            ),
        )

    def take_events(self) -> list[HostEvent]:
        """Return what happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    # -- time ------------------------------------------------------------------------------------

    def start(self, now_ns: int, endpoint: str) -> None:
        """Know the nodes and call them.

        Args:
            endpoint: Where this host receives; nodes are called at one of the same IP family.

        Raises:
            ConfigError: no node has one.
        """
        self._attaching.start(now_ns, endpoint)
        self.poll(now_ns)

    def update(
        self, now_ns: int, records: RecordSet, *, nodes: Sequence[Address] | None = None
    ) -> None:
        """Go over to a new record set: what rests on keys that count no more ends at once.

        Args:
            nodes: To attach to from now on, the preferred first; `None` keeps those it has.

        Raises:
            ConfigError: the records do not know this host; the old ones stay.
        """
        _ = find_enrolment(self.identity, records)
        before = self.contacts.records
        self.contacts.update(records)
        records = self.contacts.records
        self._attaching.update(now_ns, before)
        if nodes is not None:
            self._attaching.use(now_ns, nodes)
        for host in lost_keys(before.enrolments, records.enrolments):
            self.datagrams.forget(host)
            self.streams.close_to(now_ns, host)
        self.process(now_ns)

    def leave(self, now_ns: int) -> None:
        """Tell the nodes that this host goes: they need not find out by its silence."""
        self._attaching.leave(now_ns)

    def poll(self, now_ns: int) -> None:
        """Do what is due."""
        self.datapath.poll(now_ns)
        self.contacts.poll(now_ns)
        self._attaching.poll(now_ns)
        self._registering.poll(now_ns)
        self.datagrams.poll(now_ns)
        self.circuits.poll(now_ns)
        self.process(now_ns)

    def next_deadline_ns(self) -> int | None:
        """Return when `poll` has something to do next."""
        return earliest(
            self.datapath.next_deadline_ns(),
            self.contacts.next_deadline_ns(),
            self._attaching.attachments.next_deadline_ns(),
            self._registering.next_deadline_ns(),
            self.datagrams.next_deadline_ns(),
            self.circuits.next_deadline_ns(),
        )

    def process(self, now_ns: int) -> None:
        """Take what the datapath received, and give it what the streams want to send."""
        for notice in self.datapath.take_notices():
            match notice:
                case (("peer_up" | "peer_down") as kind, node):
                    self._attaching.change(now_ns, Address(node), is_up=kind == "peer_up")
                case ("control", node, service, message):
                    self._hear(now_ns, Address(node), service, message)
                case _:
                    raise AssertionError(f"a notice that no host gets: {notice[0]}")
        self._take_packets(now_ns)
        if self._attaching.take_changed():
            self._registering.watch(now_ns, self.attachments)
        self.send_streams(now_ns)

    def _take_packets(self, now_ns: int) -> None:
        while self._learned:
            for arrived in self.contacts.take_held(self._learned.pop()):
                self._deliver(now_ns, arrived)
        for packets in self.datapath.take_received():
            node, service, source, connection, metadata, protection, is_traced, payloads = packets
            if service == DELIVERY and protection in (Protection.DATAGRAMS, Protection.STREAMS):
                arrived = _Arrived(Address(source), connection, protection, payloads)
                self._attaching.arrived(now_ns, Address(node), arrived.source)
                if self.contacts.knows(arrived.source):
                    self._deliver(now_ns, arrived)
                else:
                    self.contacts.hold(now_ns, arrived.source, arrived)
                continue
            if self.circuits.carries(Address(source), connection, service):
                self.circuits.handle(now_ns, Address(source), connection, payloads)
                continue
            self._received["packet"] += len(payloads)
            self._events.extend(
                PacketReceived(
                    Address(node), service, Address(source), connection, metadata, payload,
                    protection, is_traced,
                )
                for payload in payloads
            )  # fmt: skip

    # -- sending ---------------------------------------------------------------------------------

    def send_streams(self, now_ns: int) -> None:
        """Give the datapath what the streams want to send; to be called after using them."""
        for outgoing in self.circuits.take_outgoing(now_ns):
            _ = self._send(now_ns, outgoing, protection=Protection.STREAMS)

    # -- inside ----------------------------------------------------------------------------------

    def _emit(self, event: HostEvent) -> None:
        self._events.append(event)

    def _send(
        self,
        now_ns: int,
        outgoing: Outgoing,
        *,
        protection: Protection = Protection.DATAGRAMS,
        is_traced: bool = False,
    ) -> Address | None:
        via, metadata = outgoing.to, b""
        if outgoing.by is not None:
            via, metadata = outgoing.by, bytes(outgoing.to)
        elif outgoing.service == DELIVERY:
            via = self._attaching.attachments.via_for(DELIVERY, outgoing.to)
            metadata = self.constraints.metadata(outgoing.to)
        taken = self.datapath.send(
            now_ns,
            via,
            outgoing.service,
            outgoing.connection,
            metadata,
            outgoing.payloads,
            protection=protection,
            is_covered=outgoing.by is not None,
            is_traced=is_traced,
        )
        refused = len(outgoing.payloads) - taken
        self._dropped["send_refused"] += refused
        return None if refused else via

    def _deliver(self, now_ns: int, arrived: "_Arrived") -> None:
        source, connection = arrived.source, arrived.connection
        if arrived.protection == Protection.STREAMS:
            self.streams.handle(now_ns, source, connection, arrived.payloads)
            return
        for payload in arrived.payloads:
            self.datagrams.take(now_ns, source, connection, payload)

    def _ask(self, now_ns: int, message: bytes) -> None:
        try:
            self.datapath.send_control(now_ns, self._attaching.attachments.via, DIRECTORY, message)
        except ValueError:
            self._dropped["send_refused"] += 1  # and asked again soon

    def _learn(self, learned: ContactLearned) -> None:
        self._events.append(learned)
        if isinstance(learned.query, Addressed):
            self._learned.append(Address(learned.query.address))

    def _explained(self, node: Address, said: Explained) -> None:
        if self.inquiries.take(node, said):
            self._emit(StatementReceived(said.number))

    def _hear(self, now_ns: int, node: Address, service: int, message: bytes) -> None:
        if service == ATTACHMENT:
            self._attaching.hear(now_ns, node, message)
        elif service == DIRECTORY:
            self.contacts.hear(now_ns, message)
        else:
            self._events.append(ControlReceived(node, service, message))
