"""What echo promises, as scripts of events."""

from ei.sdk import (
    Decision,
    Forward,
    Hop,
    InstallDecision,
    PacketArrived,
    SendPacket,
    key_of,
)
from ei.testing import Playbook, address


def test_a_packet_goes_back_on_the_pipe_that_it_came_by() -> None:
    play = Playbook("echo", peers=["node"])
    ping = play.make_packet("alice", ingress="node", metadata=b"7", payload=b"hello")

    assert (
        play
        >> PacketArrived(ping)
        << InstallDecision(
            Decision(
                key_of(ping),
                Forward((Hop(address("node")),)),
                ttl_s=10.0,
                tag=address("node"),
            )
        )
        << SendPacket(ping, address("node"))
    )


def test_what_it_decides_does_not_depend_on_the_payload() -> None:
    play = Playbook("echo", peers=["alice"])

    first, _ = play.packet("alice", payload=b"one")
    second, _ = play.packet("alice", payload=b"two")

    assert first == second
