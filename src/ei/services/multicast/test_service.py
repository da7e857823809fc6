"""What multicast promises, as scripts of events, and as a small internet of nodes."""

from collections.abc import Iterable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei.errors import DeadlineError, ServiceError
from ei.host.channels import ServiceChannel
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.sdk import (
    Address,
    CancelTimer,
    Connection,
    ControlArrived,
    Count,
    DropPacket,
    Effect,
    Forward,
    Group,
    GroupOf,
    HoldPacket,
    InstallDecision,
    Packet,
    PacketArrived,
    PeerChanged,
    Resolve,
    Resolved,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SetTimer,
)
from ei.services.multicast.client import join
from ei.services.multicast.members import Member
from ei.services.multicast.messages import Graft, Join, Leave, Prune
from ei.services.multicast.service import DOWN, MESSAGES, UP
from ei.testing import Playbook, address

NEWS = address("news")
SELF, EAST, WEST, BOB = map(address, ["self", "east", "west", "bob"])
NEW = (RevokeDecisions(NEWS), SetTimer(NEWS, 0.0))


def node(*nodes: Address, peers: str = "alice bob carol east west", **config: object) -> Playbook:
    """A script at a node that knows where the members of the group meet."""
    play = Playbook("multicast", peers=peers.split(), config=config)
    _ = play.resolve(GroupOf(NEWS), Group(NEWS, nodes))
    return play


def copies(effects: Iterable[Effect]) -> list[tuple[bytes, bytes]]:
    """Peers that get a copy, and the metadata that it leaves with."""
    return [
        (e.to[6:].rstrip(b"\0"), e.packet.metadata) for e in effects if isinstance(e, SendPacket)
    ]


def reasons(effects: Iterable[Effect]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, DropPacket)]


# -- copies --------------------------------------------------------------------------------------


def test_members_here_get_a_copy_each_and_the_rendezvous_gets_one() -> None:
    play = node(EAST, WEST)
    for name in ("alice", "bob", "carol"):
        assert play.control(name, Join(NEWS)) == NEW

    effects = play.packet("alice", metadata=NEWS)

    assert copies(effects) == [(b"bob", NEWS), (b"carol", NEWS), (b"east", NEWS + UP)]


def test_the_datapath_learns_to_make_the_same_copies() -> None:
    play = node(EAST)
    _ = play.control("bob", Join(NEWS))

    install, *sends = play.packet("alice", metadata=NEWS)

    assert isinstance(install, InstallDecision)
    decision = install.decision
    assert isinstance(decision.action, Forward)
    assert [(hop.to, hop.metadata) for hop in decision.action.hops] == [
        (BOB, None),
        (EAST, NEWS + UP),
    ]
    assert [send.to for send in sends if isinstance(send, SendPacket)] == [BOB, EAST]
    assert (decision.ttl_s, decision.tag) == (10.0, NEWS)


def test_the_rendezvous_copies_to_nodes_with_members_and_to_its_own() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    assert play.control("east", Graft(NEWS)) == (RevokeDecisions(NEWS),)
    _ = play.control("west", Graft(NEWS))

    up = play.packet("alice", ingress="west", metadata=NEWS + UP)
    own = play.packet("carol", metadata=NEWS)

    assert copies(up) == [(b"bob", NEWS), (b"east", NEWS + DOWN)]
    assert copies(own) == [(b"bob", NEWS), (b"east", NEWS + DOWN), (b"west", NEWS + DOWN)]


def test_a_node_with_members_copies_to_them_alone() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    _ = play.control("west", Graft(NEWS))

    assert copies(play.packet("alice", ingress="east", metadata=NEWS + DOWN)) == [(b"bob", NEWS)]


def test_a_sender_that_is_a_member_elsewhere_gets_no_copy_of_its_own() -> None:
    play = node(EAST)
    _ = play.control("bob", Join(NEWS))

    assert reasons(play.packet("bob", ingress="east", metadata=NEWS + DOWN)) == ["no_members"]


def test_the_first_rendezvous_that_can_be_reached_is_taken() -> None:
    play = node(EAST, WEST, peers="alice west")

    assert copies(play.packet("alice", metadata=NEWS)) == [(b"west", NEWS + UP)]


def test_without_a_rendezvous_members_here_still_get_their_copy() -> None:
    play = node(EAST, peers="alice bob")
    assert reasons(play.packet("alice", metadata=NEWS)) == ["no_rendezvous"]

    _ = play.control("bob", Join(NEWS))

    assert copies(play.packet("alice", metadata=NEWS)) == [(b"bob", NEWS)]


def test_a_node_that_is_no_rendezvous_refuses_to_be_one() -> None:
    play = node(EAST)

    refused = play.packet("alice", ingress="west", metadata=NEWS + UP)

    assert reasons(refused) == ["no_rendezvous"]


def test_a_packet_to_nobody_is_refused_until_somebody_joins() -> None:
    play = node(SELF)

    install, drop = play.packet("alice", metadata=NEWS)

    assert drop == DropPacket("no_members")
    assert isinstance(install, InstallDecision)
    assert install.decision.tag == NEWS
    assert play.control("bob", Join(NEWS)) == NEW


@pytest.mark.parametrize("metadata", [b"", b"news", NEWS + b"\x03", NEWS + UP + UP])
def test_metadata_that_names_no_group_is_refused(metadata: bytes) -> None:
    assert reasons(node(SELF).packet("alice", metadata=metadata)) == ["bad_group"]


def test_a_packet_waits_for_the_record_of_its_group() -> None:
    play = Playbook("multicast", peers=["alice", "east"])
    assert play.packet("alice", metadata=NEWS) == (HoldPacket(GroupOf(NEWS), timeout_s=1.0),)

    effects = play.resolve(GroupOf(NEWS), Group(NEWS, (EAST,)))

    assert copies(effects) == [(b"east", NEWS + UP)]


def test_a_group_without_a_record_is_refused() -> None:
    play = Playbook("multicast", peers=["alice"])
    _ = play.resolve(GroupOf(NEWS), None)

    assert reasons(play.packet("alice", metadata=NEWS)) == ["unknown_group"]


# -- members -------------------------------------------------------------------------------------


def test_a_membership_ends_when_it_is_not_repeated() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    _ = play.control("carol", Join(NEWS))
    _ = play.advance(40.0)
    assert play.control("carol", Join(NEWS)) == ()
    _ = play.advance(20.0)
    _ = play.resolve(GroupOf(NEWS), Group(NEWS, (SELF,)))

    assert copies(play.packet("alice", metadata=NEWS)) == [(b"carol", NEWS)]


def test_no_decision_outlives_the_membership_that_it_is_made_of() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    _ = play.advance(57.0)
    _ = play.resolve(GroupOf(NEWS), Group(NEWS, (SELF,)))

    install, _ = play.packet("alice", metadata=NEWS)

    assert isinstance(install, InstallDecision)
    assert install.decision.ttl_s == pytest.approx(3.0)


def test_who_left_gets_no_copy() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    _ = play.control("carol", Join(NEWS))

    assert play.control("bob", Leave(NEWS)) == (RevokeDecisions(NEWS),)
    assert play.control("bob", Leave(NEWS)) == ()

    assert copies(play.packet("alice", metadata=NEWS)) == [(b"carol", NEWS)]


def test_who_is_gone_gets_no_copy() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))

    assert play.peer_down("bob") == (RevokeDecisions(NEWS),)

    assert reasons(play.packet("alice", metadata=NEWS)) == ["no_members"]


def test_a_peer_belongs_to_so_many_groups_and_no_more() -> None:
    play = node(SELF, groups_per_peer=2)
    for name in ("one", "two"):
        _ = play.control("bob", Join(address(name)))

    assert play.control("bob", Join(address("three"))) == (Count("too_many_groups"),)
    assert play.control("bob", Join(address("two"))) == ()
    assert play.control("carol", Join(address("three"))) != ()


def test_a_group_has_so_many_members_here_and_no_more() -> None:
    play = node(SELF, members_per_group=1)
    _ = play.control("bob", Join(NEWS))

    assert play.control("carol", Join(NEWS)) == (Count("too_many_members"),)
    assert play.control("bob", Join(NEWS)) == ()


@pytest.mark.parametrize(
    ("message", "tag"), [(Join(NEWS), 0), (Leave(NEWS), 1), (Graft(NEWS), 2), (Prune(NEWS), 3)]
)
def test_the_layout_of_its_messages_is_pinned(
    message: Join | Leave | Graft | Prune, tag: int
) -> None:
    golden = bytes((0x92, tag, 0xC4, 16)) + NEWS  # msgpack: array of 2, number, 16 bytes

    assert msgspec.msgpack.encode(message) == golden
    assert msgspec.msgpack.decode(golden, type=MESSAGES) == message


def test_a_message_of_another_service_is_refused() -> None:
    with pytest.raises(ServiceError, match="not a multicast message: "):
        _ = node(SELF).control("bob", Member(is_node=False, expires_s=0.0))


# -- between nodes -------------------------------------------------------------------------------


def test_a_node_tells_every_rendezvous_about_its_first_member_and_again() -> None:
    play = node(EAST, WEST)
    _ = play.control("bob", Join(NEWS))
    told = (
        SendControl(Graft(NEWS), to=EAST),
        SendControl(Graft(NEWS), to=WEST),
        SetTimer(NEWS, 20.0),
    )

    assert play.advance(1.0) == told

    assert play.advance(20.0) == (Resolve(GroupOf(NEWS)), SetTimer(NEWS, 20.0))
    assert play.resolve(GroupOf(NEWS), Group(NEWS, (EAST, WEST))) == told


def test_a_node_asks_for_the_record_that_it_needs() -> None:
    play = Playbook("multicast", peers=["bob", "east"])
    _ = play.control("bob", Join(NEWS))
    assert play.advance(1.0) == (Resolve(GroupOf(NEWS)), SetTimer(NEWS, 20.0))

    effects = play.resolve(GroupOf(NEWS), Group(NEWS, (EAST,)))

    assert effects == (
        RevokeDecisions(NEWS),
        SendControl(Graft(NEWS), to=EAST),
        SetTimer(NEWS, 20.0),
    )


def test_a_node_without_members_says_nothing() -> None:
    play = node(EAST)
    _ = play.control("bob", Join(NEWS))
    _ = play.control("bob", Leave(NEWS))

    assert play.timer(NEWS) == ()
    assert play.resolve(GroupOf(NEWS), Group(NEWS, (EAST,))) == ()


def test_when_its_last_member_leaves_a_node_says_so() -> None:
    play = node(EAST, WEST, peers="bob carol east")
    _ = play.control("bob", Join(NEWS))
    _ = play.control("carol", Join(NEWS))
    _ = play.advance(1.0)
    _ = play.control("bob", Leave(NEWS))

    assert play.control("carol", Leave(NEWS)) == (
        RevokeDecisions(NEWS),
        CancelTimer(NEWS),
        SendControl(Prune(NEWS), to=EAST),
    )


def test_a_node_whose_last_member_left_gets_no_copy() -> None:
    play = node(SELF)
    _ = play.control("east", Graft(NEWS))

    assert play.control("east", Prune(NEWS)) == (RevokeDecisions(NEWS), CancelTimer(NEWS))

    assert reasons(play.packet("alice", metadata=NEWS)) == ["no_members"]


def test_when_a_rendezvous_goes_the_next_one_is_taken() -> None:
    play = node(EAST, WEST)
    assert copies(play.packet("alice", metadata=NEWS)) == [(b"east", NEWS + UP)]

    assert play.peer_down("east") == (RevokeDecisions(NEWS),)

    assert copies(play.packet("alice", metadata=NEWS)) == [(b"west", NEWS + UP)]


def test_a_rendezvous_that_comes_up_is_told_at_once() -> None:
    play = node(EAST, peers="bob")
    _ = play.control("bob", Join(NEWS))
    assert play.advance(1.0) == (SetTimer(NEWS, 20.0),)

    assert play.peer_up("east") == NEW

    assert play.advance(1.0) == (SendControl(Graft(NEWS), to=EAST), SetTimer(NEWS, 20.0))


def test_a_record_that_changed_ends_what_was_decided_by_the_old_one() -> None:
    play = node(EAST)
    _ = play.packet("alice", metadata=NEWS)

    assert play.resolve(GroupOf(NEWS), Group(NEWS, (EAST,))) == ()
    assert play.resolve(GroupOf(NEWS), Group(NEWS, (WEST,))) == (RevokeDecisions(NEWS),)


def test_no_record_changes_nothing() -> None:
    assert node(EAST).resolve(GroupOf(NEWS), None) == ()


@pytest.mark.slow
def test_a_peer_of_many_groups_is_reconsidered_some_at_a_time() -> None:
    environment = Environment(load_service("multicast"), node=SELF, seed=1)
    _ = environment.deliver(PeerChanged(BOB, is_up=True), now_s=0.0)
    for number in range(510):
        join = Join(number.to_bytes(16, "big"))
        _ = environment.deliver(ControlArrived(BOB, join), now_s=0.0)
    first = environment.deliver(PeerChanged(BOB, is_up=False), now_s=0.0)

    # All of them arm the timer of their refresh too; those of groups without members say nothing.
    then = environment.deliver_due(now_s=1.0) + environment.deliver_due(now_s=1.0)
    while environment.is_due(1.0):
        then += environment.deliver_due(now_s=1.0)

    assert sum(isinstance(effect, RevokeDecisions) for effect in first) == 500
    assert sum(isinstance(effect, RevokeDecisions) for effect in then) == 10
    assert environment.statistics().ephemeral.entries == 0


# -- who may -------------------------------------------------------------------------------------


def named(
    *, senders: tuple[int | bytes, ...] = (0,), members: tuple[int | bytes, ...] = (0,)
) -> Group:
    return Group(NEWS, (EAST,), senders, members)


def test_who_may_not_send_is_refused_at_the_first_node_and_at_the_rendezvous() -> None:
    play = Playbook("multicast", peers=["alice", "bob", "east"])
    _ = play.resolve(GroupOf(NEWS), named(senders=(BOB,)))

    assert copies(play.packet("bob", metadata=NEWS)) == [(b"east", NEWS + UP)]
    for metadata in (NEWS, NEWS + UP):
        assert reasons(play.packet("alice", ingress="east", metadata=metadata)) == [
            "sender_refused"
        ]


def test_who_may_not_join_gets_nothing() -> None:
    play = Playbook("multicast", peers=["alice", "bob", "east"])
    _ = play.resolve(GroupOf(NEWS), named(members=(BOB,)))

    assert play.control("alice", Join(NEWS)) == (Count("member_refused", 1),)
    _ = play.control("bob", Join(NEWS))

    assert copies(play.packet("x", ingress="east", metadata=NEWS + DOWN)) == [(b"bob", NEWS)]


def test_before_the_record_is_known_nobody_gets_anything() -> None:
    play = Playbook("multicast", peers=["alice", "bob", "east"])
    for name in ("alice", "bob"):
        _ = play.control(name, Join(NEWS))
    before = play.packet("x", ingress="east", metadata=NEWS + DOWN)

    effects = play.resolve(GroupOf(NEWS), named(members=(BOB,)))

    assert reasons(before) == ["no_members"]
    assert Count("member_refused", 1) in effects
    assert copies(play.packet("x", ingress="east", metadata=NEWS + DOWN)) == [(b"bob", NEWS)]


def test_who_may_not_any_more_is_out_when_the_record_says_so() -> None:
    play = Playbook("multicast", peers=["alice", "bob", "east"])
    _ = play.resolve(GroupOf(NEWS), named())
    for name in ("alice", "bob"):
        _ = play.control(name, Join(NEWS))

    effects = play.resolve(GroupOf(NEWS), named(members=(BOB,)))

    assert RevokeDecisions(NEWS) in effects
    assert copies(play.packet("x", ingress="east", metadata=NEWS + DOWN)) == [(b"bob", NEWS)]


# -- an internet ---------------------------------------------------------------------------------


class Internet:
    """Nodes that all have pipes to each other, each with three hosts; no cache."""

    def __init__(self, nodes: int, rendezvous: list[int], cut: set[frozenset[int]]) -> None:
        self.nodes = [address(f"node{number}") for number in range(nodes)]
        self.copies: dict[tuple[Address, Address], int] = {}
        record = Group(NEWS, tuple(self.nodes[number] for number in rendezvous))
        loaded = load_service("multicast")
        self.environments = {node: Environment(loaded, node=node, seed=1) for node in self.nodes}
        for number, (at, environment) in enumerate(self.environments.items()):
            for other, peer in enumerate(self.nodes):
                if other != number and frozenset((number, other)) not in cut:
                    self.handle(at, environment.deliver(PeerChanged(peer, is_up=True), now_s=0.0))
            for host in self.hosts_of(number):
                _ = environment.deliver(PeerChanged(host, is_up=True), now_s=0.0)
            _ = environment.deliver(Resolved(GroupOf(NEWS), record), now_s=0.0)

    def hosts_of(self, number: int) -> list[Address]:
        return [address(f"host{number}.{host}") for host in range(3)]

    def join(self, number: int, host: int) -> None:
        join = ControlArrived(self.hosts_of(number)[host], Join(NEWS))
        at = self.nodes[number]
        self.handle(at, self.environments[at].deliver(join, now_s=1.0))

    def settle(self) -> None:
        for at, environment in self.environments.items():
            while environment.is_due(2.0):
                self.handle(at, environment.deliver_due(now_s=2.0))

    def send(self, number: int, host: int) -> None:
        source, at = self.hosts_of(number)[host], self.nodes[number]
        self.arrive(at, Packet(48, source, source, Connection(1), NEWS))

    def arrive(self, at: Address, packet: Packet) -> None:
        self.handle(at, self.environments[at].deliver(PacketArrived(packet), now_s=3.0))

    def handle(self, at: Address, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, SendControl):
                event = ControlArrived(at, effect.message)
                self.handle(effect.to, self.environments[effect.to].deliver(event, now_s=2.0))
            elif isinstance(effect, SendPacket):
                pipe = (at, effect.to)
                self.copies[pipe] = self.copies.get(pipe, 0) + 1
                if effect.to in self.environments:
                    packet = effect.packet
                    self.arrive(
                        effect.to,
                        Packet(48, at, packet.source, packet.connection, packet.metadata),
                    )
                else:
                    assert effect.packet.metadata == NEWS


NODES = 4
PLACES = st.tuples(st.integers(0, NODES - 1), st.integers(0, 2))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    rendezvous=st.lists(st.integers(0, NODES - 1), min_size=1, unique=True),
    members=st.sets(PLACES),
    sender=PLACES,
)
def test_every_member_but_the_sender_gets_one_copy_and_no_pipe_two(
    rendezvous: list[int], members: set[tuple[int, int]], sender: tuple[int, int]
) -> None:
    internet = Internet(NODES, rendezvous, set())
    for place in members:
        internet.join(*place)
    internet.settle()

    internet.send(*sender)

    got = {to for _, to in internet.copies if to[6:].startswith(b"host")}
    assert got == {internet.hosts_of(node)[host] for node, host in members - {sender}}
    assert set(internet.copies.values()) <= {1}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    rendezvous=st.lists(st.integers(0, NODES - 1), min_size=1, unique=True),
    members=st.sets(PLACES),
    sender=PLACES,
    cut=st.sets(st.sets(st.integers(0, NODES - 1), min_size=2, max_size=2).map(frozenset)),
)
def test_whatever_pipes_are_down_no_pipe_carries_two_copies(
    rendezvous: list[int],
    members: set[tuple[int, int]],
    sender: tuple[int, int],
    cut: set[frozenset[int]],
) -> None:
    internet = Internet(NODES, rendezvous, cut)
    for place in members:
        internet.join(*place)
    internet.settle()

    internet.send(*sender)

    assert set(internet.copies.values()) <= {1}


# -- on a host ------------------------------------------------------------------------------------


async def hears(member: ServiceChannel, speaker: ServiceChannel, *, within: int) -> bool:
    """Say something every 100 ms until the member hears it."""
    for _ in range(within):
        _ = speaker.send(b"hello")
        with suppress(DeadlineError):
            return (await member.receive(deadline_s=0.1)).payload == b"hello"
    return False


@pytest.mark.slow
def test_a_host_belongs_to_a_group_for_as_long_as_it_wants() -> None:
    async def script(lab: Simulation) -> list[bool]:
        async with join(lab.host("bob"), "news.isp-a") as bob:
            async with join(lab.host("alice"), "news.isp-a") as alice:
                heard = [
                    await hears(alice, bob, within=20),
                    await hears(bob, alice, within=1),
                ]
            await lab.sleep(0.5)
            with lab.host("alice").listen(48) as left:
                heard.append(await hears(left, bob, within=5))
        return heard

    assert run_simulated(find_topology("multicast"), script) == [True, True, False]


@pytest.mark.slow
def test_a_host_that_moves_to_another_node_still_belongs() -> None:
    async def script(lab: Simulation) -> bool:
        async with (
            join(lab.host("bob"), "news.isp-a") as bob,
            join(lab.host("alice"), "news.isp-a") as alice,
        ):
            assert await hears(alice, bob, within=20)
            await lab.kill("sn1.isp-a")
            # An idle host notices with its next keepalive.
            return await hears(alice, bob, within=400)

    assert run_simulated(find_topology("multicast"), script)


@pytest.mark.slow
def test_a_host_without_a_node_belongs_once_it_has_one() -> None:
    async def script(lab: Simulation) -> bool:
        await lab.cut("bob.isp-b", "sn1.isp-b")
        await lab.sleep(10.0)
        async with join(lab.host("bob"), "news.isp-a", repeat_s=3_600.0) as bob:
            await lab.sleep(1.0)
            await lab.heal("bob.isp-b", "sn1.isp-b")
            with lab.host("alice").call(
                48, metadata=bytes(lab.host("bob").find("news.isp-a"))
            ) as alice:
                return await hears(bob, alice, within=400)

    assert run_simulated(find_topology("multicast"), script)
