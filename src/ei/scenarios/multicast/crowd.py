"""A group of ten thousand in a hundred domains: what its trees cost the nodes.

The nodes' service runs as nodes run it, event by event, on a clock of its own; directories, routes
and pipes answer at once. Datapaths and hosts are left out: they would hide what joining costs.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import product

from ei.lab.promises import Promise, promise
from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Connection,
    ControlArrived,
    Effect,
    Event,
    Group,
    GroupOf,
    HoldPacket,
    Packet,
    PacketArrived,
    PeerChanged,
    Query,
    Record,
    Resolve,
    Resolved,
    Route,
    RouteTo,
    SendControl,
    SendPacket,
    domain_number_of,
)
from ei.services.multicast.messages import Join
from ei.testing import address

NEWS = address("news")
MAX_HOPS = 8
"""As many as the routing between domains names."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host is: number of its domain, from 1, of the node there, and its own."""

    domain: int
    node: int
    host: int

    @property
    def at(self) -> Address:
        """The node."""
        return address(f"n{self.node}.{self.domain}")

    @property
    def address(self) -> Address:
        """The host."""
        return address(f"h{self.node}x{self.host}.{self.domain}")


class Internet:
    """Domains whose nodes have pipes to each other and to those of other domains; no cache.

    Attributes:
        copies: Of the last packet, by (from, to).
        told: Control messages that each node got.
    """

    def __init__(
        self,
        sender: Place,
        *,
        domains: int,
        nodes: int,
        cut: frozenset[frozenset[Address]] = frozenset(),
    ) -> None:
        self.sender = sender
        self.now_s = 0.0
        self.copies: Counter[tuple[Address, Address]] = Counter()
        self.told: Counter[Address] = Counter()
        self._cut = cut
        loaded = load_service("multicast")
        self.environments = {
            node: Environment(loaded, node=node, seed=b"1")
            for node in (Place(d, n, 0).at for d, n in product(range(1, domains + 1), range(nodes)))
        }
        self._by_domain: dict[int, list[Address]] = {}
        for node in self.environments:
            self._by_domain.setdefault(domain_number_of(node), []).append(node)
        for node in self.environments:
            # Of the pipes that are up, those that a tree may go by.
            for peer in {*self._mates(node), *self._hops(node, sender.domain)}:
                self.deliver(node, PeerChanged(peer, is_up=True))
                self.deliver(peer, PeerChanged(node, is_up=True))
        self.attach(sender)

    def attach(self, place: Place) -> None:
        """Let a host have a pipe to its node."""
        self.deliver(place.at, PeerChanged(place.address, is_up=True))

    def join(self, place: Place) -> None:
        """Let a host join."""
        self.attach(place)
        self.deliver(place.at, ControlArrived(place.address, Join(NEWS)))

    def settle(self, *, for_s: int) -> None:
        """Let time pass."""
        for _ in range(4 * for_s):
            self.now_s += 0.25
            for node, environment in list(self.environments.items()):
                while environment.is_due(self.now_s):
                    self._handle(node, environment.deliver_due(now_s=self.now_s))

    def send(self) -> None:
        """Let the sender send one packet."""
        self.copies.clear()
        source = self.sender.address
        self.deliver(self.sender.at, PacketArrived(Packet(48, source, source, Connection(1), NEWS)))

    def kill(self, node: Address) -> None:
        """Let a node die, and the others notice."""
        del self.environments[node]
        self._by_domain[domain_number_of(node)].remove(node)
        for other in self.environments:
            self.deliver(other, PeerChanged(node, is_up=False))

    def got(self) -> set[Address]:
        """Return the hosts that got a copy of the last packet."""
        return {to for _, to in self.copies if to not in self.environments}

    def crossings(self) -> list[tuple[int, int]]:
        """Return between which domains copies of the last packet crossed."""
        pairs = [(domain_number_of(a), domain_number_of(b)) for a, b in self.copies]
        return [(a, b) for a, b in pairs if a != b]

    def deliver(self, node: Address, event: Event) -> None:
        """Let a node handle an event, and others what follows from it."""
        self._handle(node, self.environments[node].deliver(event, now_s=self.now_s))

    def _handle(self, node: Address, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case SendControl(message, to) if self._is_up(node, to):
                    self.told[to] += 1
                    self.deliver(to, ControlArrived(node, message))
                case Resolve(query) | HoldPacket(query):
                    self.deliver(node, Resolved(query, self._answer(node, query)))
                case SendPacket(packet, to):
                    self.copies[node, to] += 1
                    if to in self.environments:
                        self.deliver(
                            to,
                            PacketArrived(
                                Packet(48, node, packet.source, packet.connection, packet.metadata)
                            ),
                        )
                case _:
                    pass

    def _answer(self, node: Address, query: Query) -> Record | None:
        match query:
            case GroupOf(group):
                return Group(group, (self.sender.at,), (self.sender.address,))
            case AttachmentOf(host):
                return Attachment(host, (self.sender.at,))
            case RouteTo(domain):
                hops = self._hops(node, domain)
                return Route(tuple(hops)) if hops else None
            case _:
                return Route(tuple(self._mates(node)))

    def _hops(self, node: Address, domain: int) -> list[Address]:
        peers = [peer for peer in self._by_domain[domain] if self._is_up(node, peer)]
        return peers[:MAX_HOPS] if domain != domain_number_of(node) else []

    def _mates(self, node: Address) -> list[Address]:
        mates = self._by_domain[domain_number_of(node)]
        return [peer for peer in mates if self._is_up(node, peer)]

    def _is_up(self, node: Address, peer: Address) -> bool:
        return (
            peer != node and peer in self.environments and frozenset((node, peer)) not in self._cut
        )


def crowd(*, domains: int, nodes: int, receivers: int) -> list[Promise]:
    """Let so many hosts join, spread over domains and nodes; say what it costs."""
    sender = Place(1, 0, 0)
    internet = Internet(sender, domains=domains, nodes=nodes)
    internet.settle(for_s=2)
    internet.told.clear()
    everybody = [
        Place(1 + number % domains, number // domains % nodes, 1 + number)
        for number in range(receivers)
    ]
    for place in everybody:
        internet.join(place)
    internet.settle(for_s=2)
    joining = Counter(internet.told)
    internet.send()
    reached = internet.got() == {place.address for place in everybody}
    most_copies = max(internet.copies.values())
    crossed = len(internet.crossings())
    internet.told.clear()
    for _ in range(3):
        internet.settle(for_s=20)
        for place in everybody:
            internet.join(place)
    state = [each.statistics().ephemeral.used_bytes for each in internet.environments.values()]
    return [
        promise(
            f"{receivers:,} receivers in {domains} domains: all are reached",
            reached,
            "==",
            limit=True,
        ),
        promise("most copies on a pipe there", most_copies, "==", 1, unit="copies"),
        promise(
            "copies from domain to domain there", crossed, "==", domains - 1, unit="copies",
            baseline=receivers - receivers // domains,
        ),
        promise(
            "control messages to the busiest node while all join",
            max(joining.values()),
            "<=",
            3 * domains,
            unit="messages",
            # Without trees each receiver would ask the sender's node.
            baseline=receivers,
        ),
        promise(
            "the same for a minute afterwards",
            max(internet.told.values()),
            "<=",
            8 * domains,
            unit="messages",
        ),
        promise("state at the largest node", max(state), "<=", 200_000, unit="B"),
        promise("state at a node, mean", round(sum(state) / len(state)), "<=", 50_000, unit="B"),
    ]  # fmt: skip
