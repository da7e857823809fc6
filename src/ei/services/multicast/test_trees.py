"""What the trees of a group come to in a small internet of nodes, whatever pipes are down."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Connection,
    ControlArrived,
    Effect,
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
from ei.services.multicast.trees import rank
from ei.testing import address

NEWS = address("news")
DOMAINS, NODES, HOSTS = 3, 3, 2
Place = tuple[int, int, int]
"""Number of a domain, of a node in it, and of a host there."""


class Internet:
    """Domains whose nodes have pipes to each other and to those of other domains; no cache."""

    def __init__(self, sender: Place, cut: set[frozenset[Address]]) -> None:
        self.nodes = [address(f"n{n}.{d}") for d, n in product(range(1, DOMAINS + 1), range(NODES))]
        self.sender = host_at(sender)
        self.root = node_at(sender)
        self.up = {
            node: {peer for peer in self.nodes if peer != node and {node, peer} not in cut}
            for node in self.nodes
        }
        self.copies: dict[tuple[Address, Address], int] = {}
        self.now_s = 0.0
        loaded = load_service("multicast")
        self.environments = {node: Environment(loaded, node=node, seed=1) for node in self.nodes}
        for node in self.nodes:
            for peer in [*sorted(self.up[node]), *hosts_of(node)]:
                self.deliver(node, PeerChanged(peer, is_up=True))

    def answer(self, node: Address, query: Query) -> Record | None:
        """Answer as the directory and the routing of a node would."""
        domain = domain_number_of(node)
        match query:
            case GroupOf(group):
                return Group(group, (self.root,), (self.sender,))
            case AttachmentOf(host):
                return Attachment(host, (self.root,))
            case RouteTo(other):
                hops = [peer for peer in sorted(self.up[node]) if domain_number_of(peer) == other]
                return Route(tuple(hops)) if hops else None
            case _:
                mates = [peer for peer in self.up[node] if domain_number_of(peer) == domain]
                return Route(tuple(sorted(mates)))

    def join(self, place: Place) -> None:
        self.deliver(node_at(place), ControlArrived(host_at(place), Join(NEWS)))

    def settle(self, *, for_s: int) -> None:
        for _ in range(4 * for_s):
            self.now_s += 0.25
            for node, environment in self.environments.items():
                while environment.is_due(self.now_s):
                    self.handle(node, environment.deliver_due(now_s=self.now_s))

    def send(self) -> None:
        self.copies.clear()
        packet = Packet(48, self.sender, self.sender, Connection(1), NEWS)
        self.deliver(self.root, PacketArrived(packet))

    def kill(self, node: Address) -> None:
        self.nodes.remove(node)
        del self.environments[node]
        for other in self.nodes:
            self.up[other].discard(node)
            self.deliver(other, PeerChanged(node, is_up=False))

    def deliver(
        self, node: Address, event: PeerChanged | ControlArrived | PacketArrived | Resolved
    ) -> None:
        self.handle(node, self.environments[node].deliver(event, now_s=self.now_s))

    def handle(self, node: Address, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, SendControl) and effect.to in self.up[node]:
                self.deliver(effect.to, ControlArrived(node, effect.message))
            elif isinstance(effect, Resolve | HoldPacket):
                query = effect.query if isinstance(effect, Resolve) else effect.until
                self.deliver(node, Resolved(query, self.answer(node, query)))
            elif isinstance(effect, SendPacket):
                self.copies[node, effect.to] = self.copies.get((node, effect.to), 0) + 1
                sent = effect.packet
                if effect.to in self.environments:
                    packet = Packet(48, node, sent.source, sent.connection, sent.metadata)
                    self.deliver(effect.to, PacketArrived(packet))

    def got(self) -> set[Address]:
        """Return the hosts that got a copy of the last packet."""
        return {to for _, to in self.copies if to[6:7] == b"h"}

    def crossings(self) -> list[tuple[int, int]]:
        """Return between which domains copies crossed."""
        pairs = [(domain_number_of(a), domain_number_of(b)) for a, b in self.copies]
        return [(a, b) for a, b in pairs if a != b]


def node_at(place: Place) -> Address:
    return address(f"n{place[1]}.{place[0]}")


def host_at(place: Place) -> Address:
    return address(f"h{place[1]}{place[2]}.{place[0]}")


def hosts_of(node: Address) -> list[Address]:
    number = chr(node[7])
    return [address(f"h{number}{host}.{domain_number_of(node)}") for host in range(HOSTS)]


PLACES = st.tuples(st.integers(1, DOMAINS), st.integers(0, NODES - 1), st.integers(0, HOSTS - 1))
ALL_NODES = [address(f"n{n}.{d}") for d, n in product(range(1, DOMAINS + 1), range(NODES))]
PIPES = st.sets(st.sampled_from(ALL_NODES), min_size=2, max_size=2).map(frozenset)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(members=st.sets(PLACES), sender=PLACES)
def test_every_member_gets_one_copy_and_one_crosses_into_each_domain(
    members: set[Place], sender: Place
) -> None:
    internet = Internet(sender, set())
    for place in members:
        internet.join(place)
    internet.settle(for_s=2)

    internet.send()

    assert internet.got() == {host_at(place) for place in members - {sender}}
    assert set(internet.copies.values()) <= {1}
    abroad = {place[0] for place in members} - {sender[0]}
    assert sorted(internet.crossings()) == sorted((sender[0], domain) for domain in abroad)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(members=st.sets(PLACES, min_size=1), sender=PLACES, cut=st.sets(PIPES, max_size=20))
def test_whatever_pipes_are_down_no_pipe_carries_two_copies_and_no_member_gets_two(
    members: set[Place], sender: Place, cut: set[frozenset[Address]]
) -> None:
    internet = Internet(sender, cut)
    for place in members:
        internet.join(place)
    internet.settle(for_s=25)

    internet.send()

    assert set(internet.copies.values()) <= {1}
    received = [to for _, to in internet.copies if to[6:7] == b"h"]
    assert len(received) == len(set(received))
    assert set(received) <= {host_at(place) for place in members}


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(members=st.sets(PLACES, min_size=1), sender=PLACES, dead=st.sampled_from(ALL_NODES))
def test_when_a_node_dies_the_members_of_the_others_are_reached_within_a_second(
    members: set[Place], sender: Place, dead: Address
) -> None:
    internet = Internet(sender, set())
    for place in members:
        internet.join(place)
    internet.settle(for_s=2)
    if dead == internet.root:
        return

    internet.kill(dead)
    internet.settle(for_s=1)
    internet.send()

    reached = {host_at(place) for place in members - {sender} if node_at(place) != dead}
    assert internet.got() == reached
    assert set(internet.copies.values()) <= {1}


def test_all_agree_who_brings_a_tree_in_and_trees_spread() -> None:
    firsts = {
        max(ALL_NODES[:3], key=lambda node: rank(bytes([tree]) * 32, node)) for tree in range(40)
    }

    assert firsts == set(ALL_NODES[:3])
