"""What delivery promises, as scripts of events.

alice ── self ── east ── bob
           └──── west ──┘
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
    SendPacket,
    key_of,
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
    assert (install.decision.ttl_s, install.decision.tag) == (1.0, called)


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


def test_decisions_by_way_of_a_peer_end_when_its_pipe_does() -> None:
    play = knowing(EAST, WEST, peers=["east", "west"])
    assert next_hops(play.packet("alice", metadata=BOB)) == [EAST]

    assert play.peer_down("east") == (RevokeDecisions(tag=EAST),)

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
