"""A small internet of routers in memory, on a virtual clock: what the tests of routing share."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from random import Random

from ei.records.addresses import domain_number_of
from ei.records.keys import Keys, make_keys
from ei.records.kinds import DomainRecord, NodeRecord
from ei.records.record_set import RecordSet
from ei.routing import Atlas, Memo, Offer, Policy, Relation, Router
from ei.sdk.packets import Address

UNIX_S = 1_800_000_000.0
FAR_UNIX_S = 2_000_000_000
DELAY_S = 0.01

Edge = tuple[int, int, Relation]
"""(domain, neighbour, what the neighbour is to the domain)."""


def node_keys(domain: int, place: int = 0) -> Keys:
    """Return the keys of a node."""
    return make_keys(f"node {domain}.{place}".encode().ljust(32))


def node(domain: int, place: int = 0) -> Address:
    """Return the address of a node."""
    return node_keys(domain, place).address(domain)


def flip(relation: Relation) -> Relation:
    """Return what we are to who is `relation` to us."""
    return Relation(2 - relation)


def make_records(
    edges: Iterable[Edge],
    *,
    nodes: Mapping[int, int] | None = None,
    services: Mapping[int, tuple[int, ...]] | None = None,
) -> RecordSet:
    """Return the records of domains `d<number>` with so many nodes each, one by default."""
    providers: dict[int, set[int]] = {}
    for domain, neighbour, relation in edges:
        _ = providers.setdefault(domain, set()), providers.setdefault(neighbour, set())
        if relation is Relation.PROVIDER:
            providers[domain].add(neighbour)
        elif relation is Relation.CUSTOMER:
            providers[neighbour].add(domain)
    records = {
        f"d{number}": DomainRecord(f"d{number}", number, FAR_UNIX_S, tuple(sorted(above)))
        for number, above in providers.items()
    }
    known: dict[Address, NodeRecord] = {}
    for number in providers:
        for place in range((nodes or {}).get(number, 1)):
            keys = node_keys(number, place)
            known[keys.address(number)] = NodeRecord(
                keys.address(number),
                f"sn{place}.d{number}",
                keys.identity_key,
                keys.pipe_key,
                (f"10.0.0.1:{number}",),
                (services or {}).get(number, ()),
                FAR_UNIX_S,
            )
    return RecordSet(domains=records, nodes=known)


def policy_of(domain: int, edges: Iterable[Edge]) -> Policy:
    """Return what a domain's configuration says of its neighbours."""
    neighbours: dict[str, Relation] = {}
    for one, other, relation in edges:
        if one == domain:
            neighbours[f"d{other}"] = relation
        elif other == domain:
            neighbours[f"d{one}"] = flip(relation)
    return Policy(neighbours)


class Internet:
    """Routers, and pipes between them.

    Args:
        edges: Which domains are neighbours.
        nodes: Domain to how many nodes it has; one by default.
        services: Domain to what its nodes offer.
        pipes: Between which nodes, as (domain, place); by default between the first nodes of
            neighbours, and between all nodes of a domain.

    Attributes:
        tamper: What becomes of a message from one node to another.
        unix_offsets: By how much the clock of a node is wrong.
    """

    def __init__(  # noqa: PLR0913 all that a test may set
        self,
        edges: Iterable[Edge],
        *,
        nodes: Mapping[int, int] | None = None,
        services: Mapping[int, tuple[Offer, ...]] | None = None,
        pipes: Iterable[tuple[tuple[int, int], tuple[int, int]]] | None = None,
        memo: Memo | None = None,
        seed: int = 1,
    ) -> None:
        self.edges = list(edges)
        self.now_s = 100.0
        self.unix_offset_s = UNIX_S
        self.unix_offsets: dict[Address, float] = {}
        self.messages = 0
        self.tamper: Callable[[Address, Address, bytes], bytes | None] = lambda _a, _b, said: said
        self._queue: list[tuple[float, int, Address, Address, bytes, int]] = []
        self._sequence = 0
        offered = services or {}
        numbers = {
            domain: tuple(sorted({offer.service for offer in offers}))
            for domain, offers in offered.items()
        }
        self.records = make_records(self.edges, nodes=nodes, services=numbers)
        self.atlas = Atlas(self.records)
        self.routers: dict[Address, Router] = {}
        for domain in sorted(self.atlas.domains):
            for place in range((nodes or {}).get(domain, 1)):
                self.routers[node(domain, place)] = Router(
                    keys=node_keys(domain, place),
                    domain_number=domain,
                    atlas=self.atlas,
                    policy=policy_of(domain, self.edges),
                    random=Random(f"{seed} {domain} {place}"),
                    offers=offered.get(domain, ()),
                    memo=memo,
                )
        self._pipes: dict[frozenset[Address], int] = {}
        for one, other in self._default_pipes(nodes or {}) if pipes is None else pipes:
            self.connect(node(*one), node(*other))

    def router(self, domain: int, place: int = 0) -> Router:
        """Return the router of a node."""
        return self.routers[node(domain, place)]

    def connect(self, one: Address, other: Address) -> None:
        """Bring a pipe up."""
        self._pipes[frozenset((one, other))] = self._sequence
        for end, peer in ((one, other), (other, one)):
            self._send(end, self.routers[end].peer_changed(peer, is_up=True, now_s=self.now_s))

    def cut(self, one: Address, other: Address) -> None:
        """Take a pipe down; both ends notice at once."""
        del self._pipes[frozenset((one, other))]
        for end, peer in ((one, other), (other, one)):
            self._send(end, self.routers[end].peer_changed(peer, is_up=False, now_s=self.now_s))

    def run(self, duration_s: float) -> None:
        """Let time pass."""
        end_s = self.now_s + duration_s
        while True:
            due_s, end = min(
                (router.next_deadline_s(), address) for address, router in self.routers.items()
            )
            arrives_s = self._queue[0][0] if self._queue else end_s
            self.now_s = max(self.now_s, min(due_s, arrives_s, end_s))
            if self.now_s >= end_s:
                return
            if arrives_s <= due_s:
                self._arrive()
            else:
                self._send(
                    end, self.routers[end].poll(now_s=self.now_s, unix_s=self.unix_s_at(end))
                )

    @property
    def unix_s(self) -> float:
        """The wall clock."""
        return self.unix_offset_s + self.now_s

    def unix_s_at(self, address: Address) -> float:
        """Return what a node takes for the time."""
        return self.unix_s + self.unix_offsets.get(address, 0.0)

    def path(self, source: int, to: int) -> tuple[int, ...] | None:
        """Return the domains of the best route from the first node of a domain."""
        route = self.router(source).route_to(to)
        return None if route is None else route.paths[0]

    def walk(self, source: int, to: int, *, most: int = 64) -> list[int]:
        """Return the domains that a packet passes, node by node, until nobody leads on."""
        at, came_from, passed = node(source), 0, [source]
        for _ in range(most):
            domain = domain_number_of(at)
            if domain == to:
                return passed
            route = self.routers[at].route_to(to, came_from=came_from)
            if route is None:
                return passed
            at = route.hops[0]
            if domain_number_of(at) != domain:
                passed.append(domain_number_of(at))
                came_from = domain
        raise AssertionError(f"a packet from {source} to {to} goes round: {passed}")

    def inject(self, sender: Address, to: Address, message: bytes) -> None:
        """Have a node say something that its router did not make."""
        out = self.routers[to].take(sender, message, now_s=self.now_s, unix_s=self.unix_s_at(to))
        self._send(to, out)

    def _arrive(self) -> None:
        _, _, sender, to, message, pipe = heapq.heappop(self._queue)
        if self._pipes.get(frozenset((sender, to))) != pipe:
            return
        tampered = self.tamper(sender, to, message)
        if tampered is not None:
            self.inject(sender, to, tampered)

    def _send(self, sender: Address, out: Iterable[tuple[Address, bytes]]) -> None:
        for to, message in out:
            pipe = self._pipes.get(frozenset((sender, to)))
            if pipe is not None:
                self._sequence += 1
                self.messages += 1
                entry = (self.now_s + DELAY_S, self._sequence, sender, to, message, pipe)
                heapq.heappush(self._queue, entry)

    def _default_pipes(
        self, nodes: Mapping[int, int]
    ) -> Iterable[tuple[tuple[int, int], tuple[int, int]]]:
        for domain, neighbour, _ in self.edges:
            yield (domain, 0), (neighbour, 0)
        for domain, count in nodes.items():
            for place in range(count):
                for other in range(place):
                    yield (domain, place), (domain, other)
