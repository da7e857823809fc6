"""Where a packet that is missing is asked for."""

from ei.sdk import (
    Attachment,
    AttachmentOf,
    Count,
    Group,
    GroupOf,
    InstallDecision,
    Keep,
    NotKept,
    Route,
    RouteTo,
    SendControl,
    SendKept,
    ServiceAt,
)
from ei.services.multicast.growing import PROOF
from ei.services.multicast.messages import Graft, Join, Missing
from ei.services.multicast.repairs import DOWN
from ei.testing import Playbook, address

NEWS, SELF, ALICE, BOB, EAST = map(address, ["news", "self", "alice", "bob", "east"])
FAR = address("far.2")
CONNECTION = bytes(7) + b"\x01"
HISTORY = NEWS + ALICE + CONNECTION
NUMBERS = (bytes(8), bytes(7) + b"\x01")
MISSING = Missing(NEWS, ALICE, CONNECTION, NUMBERS)


def on_the_tree(root: bytes = FAR, **config: object) -> Playbook:
    """A script at a node that copies what alice sends to bob and to east."""
    play = Playbook("multicast", peers=["alice", "bob", "carol", "east", "far.2"], config=config)
    _ = play.resolve(GroupOf(NEWS), Group(NEWS, (EAST,), (ALICE,)))
    _ = play.resolve(AttachmentOf(ALICE), Attachment(ALICE, (FAR,)))
    _ = play.resolve(RouteTo(2), Route((FAR,)))
    _ = play.resolve(ServiceAt(48), None)
    _ = play.control("bob", Join(NEWS))
    _ = play.advance(0.1)
    _ = play.packet("alice", ingress="east", metadata=NEWS + root + PROOF)
    _ = play.control("east", Graft(NEWS + root))
    if root == FAR:
        _ = play.packet("alice", ingress="far.2", metadata=NEWS + FAR + DOWN, connection=1)
    else:
        _ = play.packet("alice", metadata=NEWS, connection=1)
    return play


def test_a_member_and_a_branch_get_what_is_kept_here() -> None:
    play = on_the_tree()

    assert play.control("bob", MISSING) == (SendKept(HISTORY, NUMBERS, BOB, NEWS),)
    assert play.control("east", MISSING) == (SendKept(HISTORY, NUMBERS, EAST, NEWS + FAR + DOWN),)


def test_who_is_neither_gets_nothing() -> None:
    assert on_the_tree().control("carol", MISSING) == (Count("repair_refused"),)


def test_a_peer_gets_so_many_again_in_a_second_and_no_more() -> None:
    play = on_the_tree(repairs_per_s=3)

    assert play.control("bob", MISSING) != (Count("repair_refused"),)
    assert play.control("bob", MISSING) == (Count("repair_refused"),)
    _ = play.advance(1.0)

    assert play.control("bob", MISSING) == (SendKept(HISTORY, NUMBERS, BOB, NEWS),)


def test_what_is_not_kept_is_asked_for_where_the_tree_comes_from_and_not_twice_at_once() -> None:
    play = on_the_tree()
    lacking = NotKept(HISTORY, NUMBERS, BOB)

    assert play.deliver(lacking) == (SendControl(MISSING, to=FAR),)
    assert play.deliver(NotKept(HISTORY, NUMBERS, EAST)) == ()
    _ = play.advance(0.2)

    assert play.deliver(lacking) == (SendControl(MISSING, to=FAR),)


def test_the_root_asks_the_source() -> None:
    play = on_the_tree(root=SELF)

    assert play.deliver(NotKept(HISTORY, NUMBERS, EAST)) == (SendControl(MISSING, to=ALICE),)


def test_where_nobody_can_be_asked_it_is_counted() -> None:
    play = on_the_tree()
    _ = play.peer_down("far.2")

    assert play.deliver(NotKept(HISTORY, NUMBERS, BOB)) == (Count("unrepaired", 2),)
    other = NotKept(NEWS + BOB + CONNECTION, NUMBERS, EAST)
    assert play.deliver(other) == (Count("unrepaired", 2),)


def test_so_many_streams_of_a_sender_are_kept_and_no_more() -> None:
    play = on_the_tree(root=SELF, histories_per_sender=2)
    kept: list[bool] = []

    for connection in (2, 3, 1):
        install = play.packet("alice", metadata=NEWS, connection=connection)[0]
        assert isinstance(install, InstallDecision)
        kept.append(any(isinstance(stage, Keep) for stage in install.decision.stages))

    assert kept == [True, False, True]
