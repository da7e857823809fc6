"""A node that wants to be left is left without a gap, and told; a host that goes says so."""

from typing import TYPE_CHECKING

import pytest
from tests.host.conftest import keys_of

from ei.attachment import ATTACHMENT, Draining, encode
from ei.host.events import AttachmentChanged, DatagramReceived

if TYPE_CHECKING:
    from tests.host.conftest import World

SN1, SN2, ALICE = (keys_of(name).address(1) for name in ("sn1", "sn2", "alice"))
PLEASE = encode(Draining(1_000))


def test_traffic_moves_to_the_other_node_and_the_first_is_told(world: "World") -> None:
    alice = world.hosts["alice"]
    assert alice.attachments.via == SN1

    world.nodes["sn1"].send_control(world.now_ns, ALICE, ATTACHMENT, PLEASE)
    world.run(250)

    assert alice.attachments.via == SN2
    assert alice.attachments.up == (SN1, SN2)
    assert world.of("alice", AttachmentChanged)[-1] == AttachmentChanged(SN2, is_up=True)


def test_the_directory_hears_which_node_is_used_from_now_on(world: "World") -> None:
    world.run(1_000)
    before = world.registered("alice")

    world.nodes["sn1"].send_control(world.now_ns, ALICE, ATTACHMENT, PLEASE)
    world.run(1_000)

    assert before == (SN1, SN2)
    assert world.registered("alice") == (SN2, SN1)


def test_what_the_node_still_hands_out_is_taken(world: "World") -> None:
    bob = world.hosts["bob"]
    _ = bob.datagrams.send(world.now_ns, ALICE, b"opens the session", port=7)
    world.run()
    world.nodes["sn1"].send_control(world.now_ns, ALICE, ATTACHMENT, PLEASE)

    for _ in range(20):
        _ = bob.datagrams.send(world.now_ns, ALICE, b"on the way", port=7)
        world.run(1)
    world.run()

    assert len(world.of("alice", DatagramReceived)) == 21


@pytest.mark.parametrize("wrong", [b"", b"\xff", b"\x91\x01\x00"])
def test_a_node_that_says_nonsense_is_counted_and_kept(world: "World", wrong: bytes) -> None:
    alice = world.hosts["alice"]

    world.nodes["sn1"].send_control(world.now_ns, ALICE, ATTACHMENT, wrong)
    world.run(50)

    assert alice.attachments.via == SN1
    assert alice.statistics().dropped["bad_control"] == 1


def test_a_host_that_leaves_is_gone_at_once(world: "World") -> None:
    alice = world.hosts["alice"]
    before = world.nodes["sn1"].statistics()["peers"]
    assert before[ALICE.hex()]["is_up"]  # type: ignore[index]

    alice.leave(world.now_ns)
    world.run(5)

    for node in world.nodes.values():
        assert not node.statistics()["peers"][ALICE.hex()]["is_up"]  # type: ignore[index]
