"""What reach promises, as scripts of events.

alice ── self ── border.2 ── shop.3 (runs 50)
           └──── west ── carol
"""

import pytest

from ei.sdk import (
    Attachment,
    AttachmentOf,
    DropPacket,
    Effect,
    HoldPacket,
    PacketArrived,
    Record,
    RevokeDecisions,
    Route,
    RouteTo,
    SendPacket,
    ServiceAt,
)
from ei.testing import Playbook, address

ALICE, CAROL, BORDER, WEST, FAR = map(address, ["alice", "carol", "border.2", "west", "far.4"])
WHERE_IS_50 = ServiceAt(50)


def hops(effects: tuple[Effect, ...]) -> list[bytes]:
    return [effect.to for effect in effects if isinstance(effect, SendPacket)]


def reasons(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, DropPacket)]


LEADS_THERE = Route((BORDER, WEST))


def knowing(*peers: str, route: Record | None = LEADS_THERE) -> Playbook:
    """A script in which it was answered where service 50 is."""
    play = Playbook("reach", peers=list(peers))
    _ = play.resolve(WHERE_IS_50, route)
    return play


def test_a_packet_waits_until_it_is_known_where_its_service_is() -> None:
    play = Playbook("reach", peers=["alice", "border.2"])
    letter = play.make_packet("alice", service=50, metadata=b"any", payload=b"hello")

    assert play >> PacketArrived(letter) << HoldPacket(until=WHERE_IS_50, timeout_s=1.0)

    assert hops(play.resolve(WHERE_IS_50, Route((BORDER,)))) == [BORDER]


def test_the_first_peer_that_is_up_leads_there_and_nothing_is_changed() -> None:
    play = knowing("alice", "west")
    letter = play.make_packet("alice", service=50, metadata=b"any", payload=b"hello")

    _, sent = play.deliver(PacketArrived(letter))

    assert sent == SendPacket(letter, WEST)


def test_a_peer_that_is_not_up_is_called() -> None:
    assert hops(knowing("alice").packet("alice", service=50))[0] in (BORDER, WEST)


def test_what_comes_from_the_service_goes_to_the_source() -> None:
    play = knowing("alice", "border.2")

    assert hops(play.packet("alice", ingress="border.2", service=50)) == [ALICE]


def test_a_source_that_is_elsewhere_is_looked_for() -> None:
    play = knowing("west", "border.2")
    back = play.make_packet("carol", ingress="border.2", service=50)

    held = play.deliver(PacketArrived(back))
    found = play.resolve(AttachmentOf(CAROL), Attachment(CAROL, (WEST,)))

    assert held == (HoldPacket(until=AttachmentOf(CAROL), timeout_s=1.0),)
    assert hops(found) == [WEST]


def test_a_source_in_another_domain_is_reached_by_its_route() -> None:
    play = knowing("west", "border.2")
    _ = play.resolve(AttachmentOf(CAROL), Attachment(CAROL, (FAR,)))
    back = play.make_packet("carol", ingress="border.2", service=50)

    held = play.deliver(PacketArrived(back))

    assert held == (HoldPacket(until=RouteTo(4, came_from=2), timeout_s=1.0),)
    assert hops(play.resolve(RouteTo(4, came_from=2), Route((WEST,)))) == [WEST]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "unknown_destination"),
        (Attachment(CAROL, (address("self"),)), "host_unreachable"),
        (Attachment(CAROL, (BORDER,)), "host_unreachable"),
    ],
)
def test_a_source_that_nobody_can_reach_is_refused(record: Record | None, reason: str) -> None:
    play = knowing("border.2")
    _ = play.resolve(AttachmentOf(CAROL), record)
    _ = play.resolve(RouteTo(2, came_from=2), Route((BORDER,)))

    assert reasons(play.packet("carol", ingress="border.2", service=50)) == [reason]


def test_a_service_that_nobody_runs_is_refused() -> None:
    assert reasons(knowing("alice", route=None).packet("alice", service=50)) == ["no_such_service"]


def test_news_of_a_host_end_what_was_decided_for_its_packets() -> None:
    play = knowing("border.2")

    assert play.peer_up("alice") == (RevokeDecisions(tag=ALICE),)
    resolved = play.resolve(AttachmentOf(CAROL), Attachment(CAROL, (WEST,)))
    assert resolved == (RevokeDecisions(tag=CAROL),)
    assert play.resolve(RouteTo(4), Route((WEST,))) == ()
