"""What multicast promises at one node, as scripts of events."""

from collections.abc import Iterable

import msgspec
import pytest

from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    ControlArrived,
    Count,
    DropPacket,
    Effect,
    Forward,
    Group,
    GroupOf,
    HoldPacket,
    InstallDecision,
    Keep,
    Meter,
    PeerChanged,
    Resolve,
    RevokeDecisions,
    Route,
    RouteTo,
    SendControl,
    SendPacket,
    ServiceAt,
    SetTimer,
)
from ei.services.multicast.growing import PROOF
from ei.services.multicast.messages import Again, Decline, Graft, Join, Leave, Prune
from ei.services.multicast.repairs import DOWN
from ei.services.multicast.service import MESSAGES, UP
from ei.testing import Playbook, address

NEWS = address("news")
SELF, EAST, WEST, BOB, ALICE = map(address, ["self", "east", "west", "bob", "alice"])
FAR, FARTHER = address("far.2"), address("farther.2")
NEW = (RevokeDecisions(NEWS), SetTimer(NEWS, 0.0))


def node(
    *nodes: Address, senders: tuple[int | bytes, ...] = (0,), peers: str = "", **config: object
) -> Playbook:
    """A script at a node that knows the record of the group."""
    names = (peers or "alice bob carol east west far.2 farther.2").split()
    play = Playbook("multicast", peers=names, config=config)
    _ = play.resolve(GroupOf(NEWS), Group(NEWS, nodes, senders))
    return play


def copies(effects: Iterable[Effect]) -> list[tuple[bytes, bytes]]:
    """Peers that get a copy, and the metadata that it leaves with."""
    return [
        (e.to[6:].rstrip(b"\0"), e.packet.metadata) for e in effects if isinstance(e, SendPacket)
    ]


def graft(play: Playbook, name: str, tree: bytes) -> tuple[Effect, ...]:
    """Let a node show that it is one, and graft."""
    _ = play.packet("somebody", ingress=name, metadata=tree + PROOF)
    return play.control(name, Graft(tree))


def reasons(effects: Iterable[Effect]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, DropPacket)]


def told(effects: Iterable[Effect]) -> list[tuple[object, Address]]:
    """Control messages, and to whom."""
    return [(effect.message, effect.to) for effect in effects if isinstance(effect, SendControl)]


# -- packets --------------------------------------------------------------------------------------


def test_a_sender_that_the_record_names_has_a_tree_of_its_own() -> None:
    play = node(EAST, senders=(ALICE,))
    _ = play.control("bob", Join(NEWS))
    _ = graft(play, "far.2", NEWS + SELF)

    effects = play.packet("alice", metadata=NEWS)

    assert copies(effects) == [(b"bob", NEWS), (b"far", NEWS + SELF + DOWN)]


def test_other_senders_send_up_to_the_first_node_of_the_group_that_is_there() -> None:
    assert copies(node(EAST, WEST).packet("alice", metadata=NEWS)) == [(b"east", NEWS + EAST + UP)]
    play = node(EAST, WEST, peers="alice west")

    assert copies(play.packet("alice", metadata=NEWS)) == [(b"west", NEWS + WEST + UP)]


def test_the_root_sends_down_to_branches_and_members_also_where_it_came_from() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    _ = graft(play, "west", NEWS + SELF)

    up = play.packet("alice", ingress="west", metadata=NEWS + SELF + UP)

    assert copies(up) == [(b"bob", NEWS), (b"west", NEWS + SELF + DOWN)]


def test_a_node_on_the_way_up_hands_on() -> None:
    up = node(EAST).packet("alice", ingress="west", metadata=NEWS + EAST + UP)

    assert copies(up) == [(b"east", NEWS + EAST + UP)]


def test_a_root_that_is_none_of_the_groups_is_refused() -> None:
    up = node(EAST).packet("alice", ingress="west", metadata=NEWS + WEST + UP)

    assert reasons(up) == ["no_root"]


def test_b6_the_datapath_learns_to_make_the_same_copies_to_keep_and_to_bound_them() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))

    install, *sends = play.packet("alice", metadata=NEWS)

    assert isinstance(install, InstallDecision)
    decision = install.decision
    assert isinstance(decision.action, Forward)
    assert [(hop.to, hop.metadata) for hop in decision.action.hops] == [(BOB, None)]
    assert [send.to for send in sends if isinstance(send, SendPacket)] == [BOB]
    assert (decision.ttl_s, decision.tag) == (10.0, NEWS)
    assert [type(stage) for stage in decision.stages] == [Meter, Keep]


def joined(*, parent: str = "far.2") -> Playbook:
    """A script at a node that is on the tree of alice, who is at FAR."""
    play = node(EAST, senders=(ALICE,))
    _ = play.resolve(AttachmentOf(ALICE), Attachment(ALICE, (FAR,)))
    _ = play.resolve(RouteTo(2), Route((FAR, FARTHER)))
    _ = play.resolve(ServiceAt(48), None)
    effects = (*play.control("bob", Join(NEWS)), *play.advance(1.0))
    assert told(effects) == [(Graft(NEWS + FAR), address(parent))]
    return play


def test_down_a_tree_packets_are_taken_from_its_parent_alone() -> None:
    play = joined()
    metadata = NEWS + FAR + DOWN

    down = play.packet("alice", ingress="far.2", metadata=metadata)
    other = play.packet("alice", ingress="west", metadata=metadata)

    assert copies(down) == [(b"bob", NEWS)]
    assert reasons(other) == ["not_from_parent"]
    assert told(other) == [(Prune(NEWS + FAR), WEST)]


def test_a_sender_that_is_a_member_elsewhere_gets_no_copy_of_its_own() -> None:
    play = joined()

    assert reasons(play.packet("bob", ingress="far.2", metadata=NEWS + FAR + DOWN)) == [
        "no_members"
    ]


def test_a_packet_to_nobody_is_refused_until_somebody_joins() -> None:
    play = node(SELF)

    install, drop = play.packet("alice", metadata=NEWS)

    assert drop == DropPacket("no_members")
    assert isinstance(install, InstallDecision)
    assert install.decision.tag == NEWS
    assert RevokeDecisions(NEWS) in play.control("bob", Join(NEWS))


@pytest.mark.parametrize(
    "metadata", [b"", b"news", NEWS + UP, NEWS + SELF, NEWS + SELF + b"\x04", NEWS + SELF + UP + UP]
)
def test_metadata_that_names_no_tree_is_refused(metadata: bytes) -> None:
    assert reasons(node(SELF).packet("alice", metadata=metadata)) == ["bad_group"]


def test_a_packet_waits_for_the_record_of_its_group() -> None:
    play = Playbook("multicast", peers=["alice", "east"])
    assert play.packet("alice", metadata=NEWS) == (HoldPacket(GroupOf(NEWS), timeout_s=1.0),)

    effects = play.resolve(GroupOf(NEWS), Group(NEWS, (EAST,)))

    assert copies(effects) == [(b"east", NEWS + EAST + UP)]


def test_a_packet_waits_for_the_way_to_the_root() -> None:
    play = node(FAR)
    assert play.packet("alice", metadata=NEWS) == (HoldPacket(RouteTo(2), timeout_s=1.0),)

    effects = play.resolve(RouteTo(2), Route((FARTHER,)))

    assert copies(effects) == [(b"farther", NEWS + FAR + UP)]


def test_a_group_without_a_record_is_refused() -> None:
    play = Playbook("multicast", peers=["alice"])
    _ = play.resolve(GroupOf(NEWS), None)

    assert reasons(play.packet("alice", metadata=NEWS)) == ["unknown_group"]


def test_without_a_root_in_reach_a_packet_is_refused() -> None:
    assert reasons(node(EAST, peers="alice bob").packet("alice", metadata=NEWS)) == ["no_root"]


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

    assert play.peer_down("bob") == NEW

    assert reasons(play.packet("alice", metadata=NEWS)) == ["no_members"]


def test_a_peer_belongs_to_so_many_groups_and_no_more() -> None:
    play = node(SELF, groups_per_peer=2)
    for name in ("one", "two"):
        _ = play.control("bob", Join(address(name)))

    assert play.control("bob", Join(address("three"))) == (Count("too_many_groups"),)
    assert play.control("bob", Join(address("two"))) == ()
    assert play.control("carol", Join(address("three"))) != ()


def test_a_node_grafts_trees_of_so_many_groups_and_no_more() -> None:
    play = node(SELF, groups_per_node=1)
    _ = graft(play, "east", address("one") + SELF)

    assert graft(play, "east", address("two") + SELF) == (Count("too_many_groups"),)


def test_b6_a_group_has_so_many_members_and_branches_here_and_no_more() -> None:
    play = node(SELF, members_per_group=1, branches_per_tree=1)
    _ = play.control("bob", Join(NEWS))
    _ = graft(play, "east", NEWS + SELF)

    assert play.control("carol", Join(NEWS)) == (Count("too_many_members"),)
    assert graft(play, "west", NEWS + SELF) == (Count("too_many_branches"),)
    assert play.control("bob", Join(NEWS)) == ()


@pytest.mark.slow
def test_a_peer_of_many_groups_is_reconsidered_some_at_a_time() -> None:
    environment = Environment(load_service("multicast"), node=SELF, seed=b"1")
    _ = environment.deliver(PeerChanged(BOB, is_up=True), now_s=0.0)
    for number in range(510):
        join = Join(number.to_bytes(16, "big"))
        _ = environment.deliver(ControlArrived(BOB, join), now_s=0.0)
    first = environment.deliver(PeerChanged(BOB, is_up=False), now_s=0.0)

    then: tuple[Effect, ...] = ()
    while environment.is_due(1.0):
        then += environment.deliver_due(now_s=1.0)

    assert sum(isinstance(effect, RevokeDecisions) for effect in first) == 500
    assert sum(isinstance(effect, RevokeDecisions) for effect in then) == 10
    _ = environment.deliver_due(now_s=2.0)
    assert environment.statistics().ephemeral.entries == 0


# -- trees ----------------------------------------------------------------------------------------


def test_the_first_member_has_the_tree_of_each_sender_come_here() -> None:
    play = node(EAST, senders=(ALICE,))

    effects = play.control("bob", Join(NEWS))

    assert effects == (
        RevokeDecisions(NEWS),
        Resolve(AttachmentOf(ALICE)),
        SetTimer(NEWS, 1.0),
    )
    _ = play.resolve(AttachmentOf(ALICE), Attachment(ALICE, (EAST,)))

    assert told(play.advance(0.01)) == [(Graft(NEWS + EAST), EAST)]


def test_where_somebody_sends_that_the_record_does_not_name_its_nodes_are_roots() -> None:
    play = node(EAST, WEST, SELF)

    effects = play.control("bob", Join(NEWS))

    assert told(effects) == [(Graft(NEWS + EAST), EAST), (Graft(NEWS + WEST), WEST)]


def test_a_graft_is_repeated() -> None:
    play = joined()

    assert (Graft(NEWS + FAR), FAR) in told(play.advance(20.0))


def test_the_last_member_that_leaves_takes_the_tree_along() -> None:
    play = joined()
    _ = play.control("bob", Leave(NEWS))

    effects = play.advance(0.01)

    assert told(effects) == [(Prune(NEWS + FAR), FAR)]
    assert SetTimer(NEWS, 20.0) not in effects


def test_a_branch_has_the_tree_come_here_and_go_on() -> None:
    play = node(EAST)
    _ = play.resolve(RouteTo(2), Route((FAR,)))
    _ = play.resolve(RouteTo(2, came_from=3), Route((FAR,)))
    _ = play.resolve(ServiceAt(48), None)
    _ = play.peer_up("third.3")

    assert told(graft(play, "third.3", NEWS + FAR)) == [(Graft(NEWS + FAR), FAR)]

    down = play.packet("alice", ingress="far.2", metadata=NEWS + FAR + DOWN)
    assert copies(down) == [(b"third", NEWS + FAR + DOWN)]
    assert told(play.control("third.3", Prune(NEWS + FAR))) == [(Prune(NEWS + FAR), FAR)]


def test_a_graft_that_comes_before_its_proof_counts_once_that_has_come() -> None:
    play = node(SELF, senders=(ALICE,))
    assert told(play.control("west", Graft(NEWS + SELF))) == []
    assert reasons(play.packet("alice", metadata=NEWS)) == ["no_members"]

    proof = play.packet("somebody", ingress="west", metadata=NEWS + SELF + PROOF)

    assert RevokeDecisions(NEWS) in proof
    assert copies(play.packet("alice", metadata=NEWS)) == [(b"west", NEWS + SELF + DOWN)]
    assert told(play.advance(0.1)) == []


def test_one_branch_more_is_no_news_to_a_parent() -> None:
    play = joined()

    assert told(graft(play, "east", NEWS + FAR)) == []
    assert told(play.advance(1.0)) == []


def test_nothing_is_nearer_to_the_root_until_all_ways_are_known() -> None:
    play = node(EAST, senders=(ALICE,))
    _ = play.resolve(AttachmentOf(ALICE), Attachment(ALICE, (FAR,)))
    assert Resolve(ServiceAt(48)) in play.control("bob", Join(NEWS))
    _ = play.resolve(RouteTo(2), Route((FAR,)))
    assert told(play.advance(0.01)) == []

    _ = play.resolve(ServiceAt(48), None)

    assert told(play.advance(0.01)) == [(Graft(NEWS + FAR), FAR)]


def test_what_a_group_of_another_domain_needs_is_asked_for_at_once() -> None:
    news = address("news.2")
    play = Playbook("multicast", peers=["bob", "carol"])

    effects = play.control("bob", Join(news))
    again = (*play.control("carol", Join(news)), *play.resolve(ServiceAt(48), None))

    assert [each.query for each in effects if isinstance(each, Resolve)] == [
        ServiceAt(48),
        GroupOf(news),
    ]
    assert again == ()


def test_nothing_is_carried_for_a_domain_to_which_no_route_is_announced() -> None:
    play = node(EAST)
    _ = play.resolve(RouteTo(2), Route((FAR,)))
    _ = play.resolve(RouteTo(2, came_from=3), None)
    _ = play.resolve(ServiceAt(48), None)
    _ = play.peer_up("third.3")

    effects = graft(play, "third.3", NEWS + FAR)

    assert (Decline(NEWS + FAR), address("third.3")) in told(effects)
    down = play.packet("alice", ingress="far.2", metadata=NEWS + FAR + DOWN)
    assert copies(down) == []


def test_one_node_brings_a_tree_into_its_domain_and_the_next_when_it_declines_or_dies() -> None:
    play = node(EAST, senders=(ALICE,))
    _ = play.resolve(AttachmentOf(ALICE), Attachment(ALICE, (FAR,)))
    _ = play.resolve(RouteTo(2), Route((FARTHER, FAR)))
    _ = play.resolve(ServiceAt(48), Route((EAST, WEST, FAR)))

    tried = [told(play.control("bob", Join(NEWS)))]
    tried.append(told(play.control("west", Decline(NEWS + FAR))))
    tried.append(told(play.control("east", Decline(NEWS + FAR))))

    whom = [to for each in tried for message, to in each if message == Graft(NEWS + FAR)]
    assert set(whom[:-1]) <= {EAST, WEST}
    assert whom[-1] == FAR
    assert told(play.peer_down("far.2")) == []
    assert (Graft(NEWS + FAR), FARTHER) in told(play.advance(0.01))


def test_a_node_that_does_not_bring_a_tree_in_declines_its_mates() -> None:
    play = joined()
    _ = graft(play, "east", NEWS + FAR)
    assert copies(play.packet("alice", ingress="far.2", metadata=NEWS + FAR + DOWN)) == [
        (b"bob", NEWS),
        (b"east", NEWS + FAR + DOWN),
    ]
    play = node(EAST)

    effects = graft(play, "west", NEWS + EAST)

    assert (Decline(NEWS + EAST), WEST) in told(effects)


def test_a_parent_that_grafts_is_declined() -> None:
    play = joined()

    assert told(graft(play, "far.2", NEWS + FAR)) == [(Decline(NEWS + FAR), FAR)]


def test_a_parent_that_comes_back_is_grafted_at_once() -> None:
    play = joined()
    _ = play.peer_down("far.2")
    _ = play.peer_down("farther.2")
    assert told(play.advance(0.5)) == []

    _ = play.peer_up("far.2")
    _ = play.resolve(ServiceAt(48), None)

    assert told(play.advance(0.01)) == [(Graft(NEWS + FAR), FAR)]


def test_a_node_that_has_forgotten_all_asks_for_what_it_was_told() -> None:
    play = Playbook("multicast", peers=[])

    assert told(play.peer_up("east")) == [(Again(), EAST)]
    _ = play.advance(2.0)

    assert told(play.peer_up("west")) == []


def test_a_node_that_seemed_to_be_gone_is_asked_for_its_branches() -> None:
    play = node(SELF, senders=(ALICE,))
    _ = graft(play, "west", NEWS + SELF)
    _ = play.advance(2.0)
    _ = play.peer_down("west")

    assert told(play.peer_up("west")) == [(Again(), WEST)]
    assert told(play.peer_up("bob")) == []


def test_a_parent_that_has_forgotten_all_is_grafted_again() -> None:
    play = joined()

    assert told(play.control("far.2", Again())) == [(Graft(NEWS + FAR), FAR)]
    assert told(play.control("east", Again())) == []


# -- who may -------------------------------------------------------------------------------------


def named(
    *, senders: tuple[int | bytes, ...] = (0,), members: tuple[int | bytes, ...] = (0,)
) -> Group:
    return Group(NEWS, (EAST,), senders, members)


def test_who_may_not_send_is_refused_at_the_first_node_and_at_the_root() -> None:
    play = Playbook("multicast", peers=["alice", "bob", "east"])
    _ = play.resolve(GroupOf(NEWS), named(senders=(BOB,)))

    assert reasons(play.packet("bob", metadata=NEWS)) == ["no_members"]
    assert reasons(play.packet("alice", metadata=NEWS)) == ["sender_refused"]
    up = play.packet("alice", ingress="east", metadata=NEWS + EAST + UP)
    assert reasons(up) == ["sender_refused"]


def test_a_node_does_not_send_as_a_host() -> None:
    play = node(SELF, senders=(ALICE, 0))
    _ = play.control("bob", Join(NEWS))
    _ = play.resolve(RouteTo(3), None)

    bare = play.packet("alice", ingress="east", metadata=NEWS)
    named = play.packet("alice", ingress="east", metadata=NEWS + SELF + UP)
    strange = play.packet("stranger.3", ingress="far.2", metadata=NEWS + SELF + UP)

    assert reasons(bare) == ["not_from_host"]
    assert reasons(named) == ["not_on_the_way"]
    assert reasons(strange) == ["not_on_the_way"]


def test_what_goes_up_may_come_by_the_way_to_its_home() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))
    _ = play.resolve(RouteTo(3), Route((FAR,)))

    up = play.packet("stranger.3", ingress="far.2", metadata=NEWS + SELF + UP)

    assert copies(up) == [(b"bob", NEWS)]


def test_a_host_that_grafts_gets_nothing() -> None:
    play = node(SELF, senders=(ALICE,))
    _ = play.control("bob", Graft(NEWS + SELF))
    _ = play.packet("bob", metadata=NEWS + SELF + PROOF)

    assert told(play.advance(0.1)) == [(Again(), BOB)]
    assert reasons(play.packet("alice", metadata=NEWS)) == ["no_members"]


def test_a_record_that_takes_a_sender_out_ends_what_was_decided_for_it() -> None:
    play = node(SELF, senders=(ALICE,))
    _ = play.control("bob", Join(NEWS))
    _ = play.packet("alice", metadata=NEWS)

    same = play.resolve(GroupOf(NEWS), Group(NEWS, (SELF,), (ALICE,)))
    changed = play.resolve(GroupOf(NEWS), Group(NEWS, (SELF,), (BOB,)))
    gone = play.resolve(GroupOf(NEWS), None)

    assert RevokeDecisions(NEWS) not in same
    assert RevokeDecisions(NEWS) in changed
    assert RevokeDecisions(NEWS) in gone
    assert play.control("bob", Leave(NEWS)) == ()


def at_the_root() -> Playbook:
    return Playbook("multicast", peers=["alice", "bob", "east"])


def test_who_may_not_join_gets_nothing() -> None:
    play = at_the_root()
    _ = play.resolve(GroupOf(NEWS), named(senders=(EAST,), members=(BOB,)))

    assert play.control("alice", Join(NEWS)) == (Count("member_refused", 1),)
    _ = play.control("bob", Join(NEWS))

    assert copies(play.packet("east", metadata=NEWS)) == [(b"bob", NEWS)]


def test_who_joined_before_the_record_was_known_is_out_when_it_says_so() -> None:
    play = at_the_root()
    for name in ("alice", "bob"):
        _ = play.control(name, Join(NEWS))

    effects = play.resolve(GroupOf(NEWS), named(senders=(EAST,), members=(BOB,)))

    assert Count("member_refused", 1) in effects
    assert copies(play.packet("east", metadata=NEWS)) == [(b"bob", NEWS)]


def test_who_may_not_any_more_is_out_when_the_record_says_so() -> None:
    play = at_the_root()
    _ = play.resolve(GroupOf(NEWS), named(senders=(EAST,)))
    for name in ("alice", "bob"):
        _ = play.control(name, Join(NEWS))

    effects = play.resolve(GroupOf(NEWS), named(senders=(EAST,), members=(BOB,)))

    assert RevokeDecisions(NEWS) in effects
    assert copies(play.packet("east", metadata=NEWS)) == [(b"bob", NEWS)]


def test_a_record_that_is_gone_ends_all_that_was_decided() -> None:
    play = node(SELF)
    _ = play.control("bob", Join(NEWS))

    assert RevokeDecisions(NEWS) in play.resolve(GroupOf(NEWS), None)

    assert reasons(play.packet("alice", metadata=NEWS)) == ["unknown_group"]


@pytest.mark.parametrize("message", [Join(bytes(15)), Graft(bytes(31))])
def test_a_message_that_names_no_group_is_none(message: msgspec.Struct) -> None:
    with pytest.raises(msgspec.ValidationError):
        _ = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=MESSAGES)
