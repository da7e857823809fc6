"""Directories joined in memory on a virtual clock: control channels with seeded delay and loss."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from random import Random

from ei.directory import Directory, MemoryStore, Query, Resolution, Store
from ei.directory.messages import Message, decode, encode
from ei.directory.statements import Open
from ei.errors import PeerError
from ei.records.envelope import open_record
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_set import RecordSet, verify_records
from ei.sdk.packets import Address

UNIX_S = 1_000_000.0
LATER_S = 2_000_000
LOSS_DETECTED_S = 0.15
RETRANSMIT_S = 0.2


@dataclass(frozen=True)
class Sent:
    """A message as the network saw it."""

    at_s: float
    sender: Address
    receiver: Address
    message: Message


class World:
    """Domains with their keys; each has nodes, of which the first so many are directories."""

    def __init__(self, *, domains: int = 2, nodes: int = 2, directories: int = 1) -> None:
        self.domains = {
            name: Issuer(name, number, make_keys(f"domain {name}".encode() * 4), LATER_S)
            for number, name in enumerate((f"isp-{chr(97 + i)}" for i in range(domains)), start=1)
        }
        self.keys: dict[Address, Keys] = {}
        self.names: dict[str, Address] = {}
        self.trust = {name: issuer.keys.identity_key for name, issuer in self.domains.items()}
        self.public: list[bytes] = []
        self._read: dict[tuple[bytes, ...], RecordSet] = {}
        self.private: dict[str, list[bytes]] = {name: [] for name in self.domains}
        for name, issuer in self.domains.items():
            addresses = [self._add_node(issuer, f"sn{i}.{name}") for i in range(1, nodes + 1)]
            self.public.append(issuer.domain(directories=tuple(addresses[:directories])))

    def _add_node(self, issuer: Issuer, name: str) -> Address:
        keys = make_keys(f"node {name}".encode() * 4)
        self.public.append(issuer.node(keys, name, endpoints=("127.0.0.1:1",), services=()))
        return self._note(name, keys, issuer)

    def add_host(self, name: str) -> Address:
        """Enrol a host; only its domain knows."""
        issuer = self.domains[name.partition(".")[2]]
        keys = make_keys(f"host {name}".encode() * 4)
        self.private[issuer.name].append(issuer.enrol(keys, name))
        return self._note(name, keys, issuer)

    def _note(self, name: str, keys: Keys, issuer: Issuer) -> Address:
        address = keys.address(issuer.number)
        self.keys[address] = keys
        self.names[name] = address
        return address

    def records(self, domain: str, *more: bytes) -> RecordSet:
        """Return what the nodes of a domain read from their file."""
        envelopes = (*self.public, *self.private[domain], *more)
        if envelopes not in self._read:
            self._read[envelopes] = verify_records(envelopes, trust=self.trust, unix_s=UNIX_S)
        return self._read[envelopes]

    def attach(
        self, host: str, *nodes: str, sequence: int = 1, life_s: int = 3_000, unix_s: float = UNIX_S
    ) -> bytes:
        """Return the attachment that a host signs."""
        issuer = self.domains[host.partition(".")[2]]
        expiring = Issuer(issuer.name, issuer.number, issuer.keys, int(unix_s) + life_s)
        keys = self.keys[self.names[host]]
        return expiring.attach(
            keys, nodes=tuple(self.names[node] for node in nodes), sequence=sequence
        )


class Net:
    """All nodes of a world, each with its directory.

    Args:
        delay_s: Shortest and longest time that a message takes.
        loss: Share of messages that come after a retransmission.
        limit_of_record: Subscribers of one query.
        open_envelope: See `Directory`.
    """

    def __init__(  # noqa: PLR0913 all that can differ
        self,
        world: World,
        *,
        seed: int = 1,
        delay_s: tuple[float, float] = (0.01, 0.01),
        loss: float = 0.0,
        limit_of_record: int = 1_024,
        open_envelope: Open = open_record,
    ) -> None:
        self.world = world
        self._open_envelope = open_envelope
        self.now_s = 100.0
        self.unix_offset_s = UNIX_S - self.now_s
        self.sent: list[Sent] = []
        self.heard: dict[Address, list[Message]] = {}
        self.answers: dict[Address, dict[Query, list[tuple[float, Resolution]]]] = {}
        self.stores: dict[Address, Store] = {}
        self._random = Random(seed)
        self._delay_s = delay_s
        self._loss = loss
        self._limit_of_record = limit_of_record
        self._dead: set[Address] = set()
        self._busy_until_s: dict[tuple[Address, Address], float] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.nodes: dict[Address, Directory] = {}
        for name, address in world.names.items():
            if name.startswith("sn"):
                self.start(name)
                self.answers[address] = {}

    @property
    def unix_s(self) -> float:
        """The wall clock, as far as it can be believed."""
        return self.now_s + self.unix_offset_s

    def node(self, name: str) -> Directory:
        """Return the directory of a node."""
        return self.nodes[self.world.names[name]]

    def start(self, name: str) -> None:
        """Start a node, with what it has stored before."""
        address = self.world.names[name]
        self.stores.setdefault(address, MemoryStore())
        self.nodes[address] = Directory(
            keys=self.world.keys[address],
            address=address,
            records=self.world.records(name.partition(".")[2]),
            store=self.stores[address],
            limit_of_record=self._limit_of_record,
            open_envelope=self._open_envelope,
        )
        self._dead.discard(address)

    # -- what happens ----------------------------------------------------------------------------

    def ask(self, name: str, query: Query) -> Resolution | None:
        """Have a node ask for itself."""
        address = self.world.names[name]
        found, sends = self.nodes[address].ask(query, now_s=self.now_s, unix_s=self.unix_s)
        self._carry(address, sends)
        return found

    def resolve(self, name: str, query: Query, *, within_s: float = 1.0) -> Resolution | None:
        """Have a node ask, and wait for the answer."""
        found = self.ask(name, query)
        self.run(0.0 if found else within_s)
        return found or self.last_answer(name, query)

    def answers_to(self, name: str, query: Query) -> list[tuple[float, Resolution]]:
        """Return when a node got which answer without asking again."""
        return self.answers[self.world.names[name]].get(query, [])

    def last_answer(self, name: str, query: Query) -> Resolution | None:
        """Return the last of them."""
        answers = self.answers_to(name, query)
        return answers[-1][1] if answers else None

    def say(self, sender: str, receiver: str, message: Message | bytes) -> None:
        """Have anybody send anything."""
        raw = message if isinstance(message, bytes) else encode(message)
        self._carry(self.world.names[sender], [(self.world.names[receiver], raw)])

    def kill(self, name: str) -> None:
        """End a node; the others find out a little later."""
        address = self.world.names[name]
        self._dead.add(address)
        self._tell_all(address, is_up=False, after_s=LOSS_DETECTED_S)

    def revive(self, name: str) -> None:
        """Start a node again, and have pipes come up."""
        self.start(name)
        self._tell_all(self.world.names[name], is_up=True, after_s=0.05)

    def update(self, name: str, records: RecordSet) -> None:
        """Have a node read its records again."""
        address = self.world.names[name]
        self._carry(
            address, self.nodes[address].update(records, now_s=self.now_s, unix_s=self.unix_s)
        )

    def _tell_all(self, peer: Address, *, is_up: bool, after_s: float) -> None:
        for address in self.nodes:
            if address != peer:
                self._at(self.now_s + after_s, self._peer_changed(address, peer, is_up=is_up))
                if is_up:
                    self._at(self.now_s + after_s, self._peer_changed(peer, address, is_up=True))

    def _peer_changed(self, address: Address, peer: Address, *, is_up: bool) -> Callable[[], None]:
        def happen() -> None:
            if address not in self._dead:
                node = self.nodes[address]
                sends = node.peer_changed(peer, is_up=is_up, now_s=self.now_s, unix_s=self.unix_s)
                self._carry(address, sends)

        return happen

    # -- time ------------------------------------------------------------------------------------

    def run(self, for_s: float) -> None:
        """Let time pass."""
        end_s = self.now_s + for_s
        while (at_s := self._next_s()) <= end_s:
            self.now_s = max(self.now_s, at_s)
            while self._events and self._events[0][0] <= self.now_s:
                heappop(self._events)[2]()
            for address, node in self.nodes.items():
                if address not in self._dead and node.next_deadline_s() <= self.now_s:
                    self._carry(address, node.poll(now_s=self.now_s, unix_s=self.unix_s))
        self.now_s = end_s

    def _next_s(self) -> float:
        alive = (node.next_deadline_s() for a, node in self.nodes.items() if a not in self._dead)
        return min(min(alive, default=inf), self._events[0][0] if self._events else inf)

    def _at(self, at_s: float, happen: Callable[[], None]) -> None:
        self._number += 1
        heappush(self._events, (at_s, self._number, happen))

    def _carry(self, sender: Address, sends: list[tuple[Address, bytes]]) -> None:
        if sender in self.nodes:
            for each in self.nodes[sender].take_answers():
                self.answers[sender].setdefault(each.query, []).append((self.now_s, each))
        for receiver, message in sends:
            delay_s = self._random.uniform(*self._delay_s)
            if self._random.random() < self._loss:
                delay_s += RETRANSMIT_S
            pair = (sender, receiver)
            at_s = max(self._busy_until_s.get(pair, 0.0), self.now_s + delay_s)
            self._busy_until_s[pair] = at_s
            self._at(at_s, self._arrive(sender, receiver, message))

    def _arrive(self, sender: Address, receiver: Address, message: bytes) -> Callable[[], None]:
        def happen() -> None:
            if receiver in self._dead:
                return
            node = self.nodes.get(receiver)
            if node is None:
                self.heard.setdefault(receiver, []).append(decode(message))
                return
            self._note(sender, receiver, message)
            sends = node.take(sender, message, now_s=self.now_s, unix_s=self.unix_s)
            self._carry(receiver, sends)

        return happen

    def _note(self, sender: Address, receiver: Address, message: bytes) -> None:
        with suppress(PeerError):  # malformed on purpose
            self.sent.append(Sent(self.now_s, sender, receiver, decode(message)))


def abroad(net: Net) -> Iterator[Sent]:
    """Return what went from one domain's node to another's."""
    for sent in net.sent:
        if sent.sender[2:6] != sent.receiver[2:6]:
            yield sent
