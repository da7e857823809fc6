"""What delivery promises, as scripts of events.

alice ── self ── east ── bob          in domain 1
           └──── west ──┘
           └──── border.2 ── far.3 ── carol.3
"""

from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Decision,
    Discard,
    DropPacket,
    Effect,
    Forward,
    HoldPacket,
    Hop,
    InstallDecision,
    PacketArrived,
    RevokeDecisions,
    Route,
    RouteTo,
    SendPacket,
    Way,
    key_of,
    write_way,
)
from ei.testing import Playbook, address

ALICE, BOB, EAST, WEST = map(address, ["alice", "bob", "east", "west"])
WHERE_IS_BOB = AttachmentOf(BOB)


def next_hops(effects: tuple[Effect, ...]) -> list[Address]:
    return [effect.to for effect in effects if isinstance(effect, SendPacket)]


def reasons(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, DropPacket)]


def knowing(*nodes: Address, peers: list[str]) -> Playbook:
    """A script that starts with the directory's word where bob is attached."""
    play = Playbook("delivery", peers=["alice", *peers])
    _ = play.resolve(WHERE_IS_BOB, Attachment(BOB, nodes))
    return play


def test_a_host_that_is_attached_here_gets_its_packet_directly() -> None:
    play = Playbook("delivery", peers=["alice", "bob"])
    letter = play.make_packet("alice", metadata=BOB, payload=b"hello")

    assert (
        play
        >> PacketArrived(letter)
        << InstallDecision(Decision(key_of(letter), Forward((Hop(BOB),)), ttl_s=10.0, tag=BOB))
        << SendPacket(letter, BOB)
    )


def test_a_packet_waits_until_the_directory_knows_where_its_host_is() -> None:
    play = Playbook("delivery", peers=["alice", "east"])
    letter = play.make_packet("alice", metadata=BOB)

    assert play >> PacketArrived(letter) << HoldPacket(until=WHERE_IS_BOB, timeout_s=1.0)

    assert next_hops(play.resolve(WHERE_IS_BOB, Attachment(BOB, (EAST,)))) == [EAST]


def test_the_first_node_that_is_up_gets_the_packet() -> None:
    play = knowing(EAST, WEST, peers=["west"])

    install, send = play.packet("alice", metadata=BOB)

    assert isinstance(install, InstallDecision)
    assert install.decision.action == Forward((Hop(WEST),))
    assert next_hops((send,)) == [WEST]


def test_a_packet_never_goes_back_to_the_node_that_sent_it() -> None:
    play = knowing(EAST, WEST, peers=["east", "west"])

    effects = play.packet("alice", ingress="east", metadata=BOB)

    assert next_hops(effects) == [WEST]


def test_this_node_is_no_way_to_a_host_that_left_it() -> None:
    play = knowing(address("self"), peers=["self"])

    assert reasons(play.packet("alice", metadata=BOB)) == ["host_unreachable"]


def test_a_node_that_is_not_up_is_called_for_now() -> None:
    play = knowing(EAST, WEST, peers=[])

    install, send = play.packet("alice", metadata=BOB)

    (called,) = next_hops((send,))
    assert called in (EAST, WEST)
    assert isinstance(install, InstallDecision)
    assert install.decision.action == Forward((Hop(called),))
    assert (install.decision.ttl_s, install.decision.tag) == (1.0, BOB)


def test_each_node_that_is_not_up_has_its_turn() -> None:
    play = knowing(EAST, WEST, peers=[])

    called = {next_hops(play.packet("alice", metadata=BOB))[0] for _ in range(20)}

    assert called == {EAST, WEST}


def test_a_host_whose_only_node_sent_the_packet_is_unreachable_for_now() -> None:
    play = knowing(EAST, peers=["east"])
    letter = play.make_packet("alice", ingress="east", metadata=BOB)

    assert (
        play
        >> PacketArrived(letter)
        << InstallDecision(
            Decision(key_of(letter), Discard("host_unreachable"), ttl_s=1.0, tag=BOB)
        )
        << DropPacket("host_unreachable")
    )


def test_a_host_that_the_directory_does_not_know_is_refused() -> None:
    play = Playbook("delivery", peers=["alice"])
    _ = play.resolve(WHERE_IS_BOB, None)

    assert reasons(play.packet("alice", metadata=BOB)) == ["unknown_destination"]


def test_metadata_that_is_no_address_is_refused() -> None:
    play = Playbook("delivery", peers=["alice"])

    assert reasons(play.packet("alice", metadata=b"bob")) == ["bad_destination"]


def test_another_node_is_found_when_the_pipe_to_one_is_down() -> None:
    play = knowing(EAST, WEST, peers=["east", "west"])
    assert next_hops(play.packet("alice", metadata=BOB)) == [EAST]

    _ = play.peer_down("east")

    assert next_hops(play.packet("alice", metadata=BOB)) == [WEST]


def test_a_host_that_comes_up_is_refused_no_longer() -> None:
    play = Playbook("delivery", peers=["alice"])

    assert play.peer_up("bob") == (RevokeDecisions(tag=BOB),)


def test_a_host_that_became_known_is_refused_no_longer() -> None:
    play = Playbook("delivery", peers=["alice"])

    effects = play.resolve(WHERE_IS_BOB, Attachment(BOB, (EAST,)))

    assert effects == (RevokeDecisions(tag=BOB),)


def test_no_news_of_a_host_changes_nothing() -> None:
    play = Playbook("delivery", peers=["alice"])

    assert play.resolve(WHERE_IS_BOB, None) == ()


# -- into other domains ---------------------------------------------------------------------------

BORDER, FAR, CAROL = map(address, ["border.2", "far.3", "carol.3"])
WHERE_IS_CAROL = AttachmentOf(CAROL)
TO_3 = RouteTo(3)


def routed(*hops: Address, peers: list[str]) -> Playbook:
    """A script that starts with carol's attachment and the way to her domain."""
    play = Playbook("delivery", peers=["alice", *peers])
    _ = play.resolve(WHERE_IS_CAROL, Attachment(CAROL, (FAR,)))
    _ = play.resolve(TO_3, Route(hops))
    return play


def metadata_sent(effects: tuple[Effect, ...]) -> list[bytes]:
    return [effect.packet.metadata for effect in effects if isinstance(effect, SendPacket)]


def test_a_packet_waits_for_the_way_to_another_domain_too() -> None:
    play = Playbook("delivery", peers=["alice", "border.2"])
    letter = play.make_packet("alice", metadata=CAROL)
    assert play >> PacketArrived(letter) << HoldPacket(until=WHERE_IS_CAROL, timeout_s=1.0)
    assert next_hops(play.resolve(WHERE_IS_CAROL, Attachment(CAROL, (FAR,)))) == []

    assert next_hops(play.resolve(TO_3, Route((BORDER,)))) == [BORDER]


def test_the_domains_between_are_told_the_node_so_that_they_need_not_ask() -> None:
    effects = routed(BORDER, peers=["border.2"]).packet("alice", metadata=CAROL)

    assert (next_hops(effects), metadata_sent(effects)) == ([BORDER], [CAROL + FAR])


def test_a_domain_between_sends_on_without_asking_the_directory() -> None:
    play = Playbook("delivery", peers=["border.2", "west"])
    _ = play.resolve(TO_3, Route((BORDER,)))

    effects = play.packet("alice.4", ingress="west", metadata=CAROL + FAR)

    assert (next_hops(effects), metadata_sent(effects)) == ([BORDER], [CAROL + FAR])


def test_the_node_itself_needs_no_telling() -> None:
    effects = routed(BORDER, FAR, peers=["border.2", "far.3"]).packet("alice", metadata=CAROL)

    assert (next_hops(effects), metadata_sent(effects)) == ([FAR], [CAROL])


def test_the_host_gets_its_address_alone() -> None:
    play = Playbook("delivery", peers=["border.2", "bob"])

    effects = play.packet("alice.4", ingress="border.2", metadata=BOB + address("self"))

    assert (next_hops(effects), metadata_sent(effects)) == ([BOB], [BOB])


def test_a_host_that_left_the_node_is_looked_for_anew() -> None:
    play = knowing(EAST, peers=["border.2", "east"])

    effects = play.packet("alice.4", ingress="border.2", metadata=BOB + address("self"))

    assert (next_hops(effects), metadata_sent(effects)) == ([EAST], [BOB])


def test_the_backup_is_used_while_the_first_peer_is_down() -> None:
    play = routed(BORDER, address("other.2"), peers=["other.2"])

    assert next_hops(play.packet("alice", metadata=CAROL)) == [address("other.2")]


def test_no_packet_goes_back_to_the_node_it_came_from() -> None:
    play = Playbook("delivery", peers=["border.2"])
    _ = play.resolve(RouteTo(3, came_from=2), Route((BORDER,)))

    effects = play.packet("alice.4", ingress="border.2", metadata=CAROL + FAR)

    assert reasons(effects) == ["host_unreachable"]


def test_a_domain_gets_the_ways_that_were_announced_to_it_alone() -> None:
    play = routed(address("fifth.5"), peers=["border.2", "fifth.5"])
    letter = play.make_packet("alice.4", ingress="border.2", metadata=CAROL + FAR)

    asked = RouteTo(3, came_from=2)
    assert play >> PacketArrived(letter) << HoldPacket(until=asked, timeout_s=1.0)
    assert reasons(play.resolve(asked, None)) == ["host_unreachable"]


def test_a_guest_of_another_domain_speaks_for_itself() -> None:
    play = routed(BORDER, peers=["border.2", "guest.7"])

    assert next_hops(play.packet("guest.7", metadata=CAROL)) == [BORDER]


def test_a_domain_to_which_no_way_leads_is_unreachable() -> None:
    play = Playbook("delivery", peers=["alice"])
    _ = play.resolve(WHERE_IS_CAROL, Attachment(CAROL, (FAR,)))
    _ = play.resolve(TO_3, None)

    assert reasons(play.packet("alice", metadata=CAROL)) == ["host_unreachable"]


def test_what_a_host_avoids_binds_the_choice_and_travels_along() -> None:
    way = Way(CAROL, avoid=(5,), require=(2,))
    play = routed(address("fifth.5"), peers=["border.2", "fifth.5"])
    _ = play.resolve(RouteTo(3, (5,), (2,)), Route((BORDER,)))

    effects = play.packet("alice", metadata=write_way(way))

    told = Way(CAROL, FAR, avoid=(5,), require=(2,))
    assert (next_hops(effects), metadata_sent(effects)) == ([BORDER], [write_way(told)])


def test_what_had_to_be_passed_is_required_no_more_beyond_it() -> None:
    way = Way(CAROL, FAR, require=(1, 7))
    play = Playbook("delivery", peers=["border.2"])
    _ = play.resolve(RouteTo(3, require=(7,), came_from=4), Route((BORDER,)))

    effects = play.packet("alice.4", ingress="from.4", metadata=write_way(way))

    assert metadata_sent(effects) == [write_way(Way(CAROL, FAR, require=(7,)))]


def test_a_way_that_is_cut_short_is_refused() -> None:
    play = Playbook("delivery", peers=["alice"])

    assert reasons(play.packet("alice", metadata=CAROL + FAR[:-1])) == ["bad_destination"]
