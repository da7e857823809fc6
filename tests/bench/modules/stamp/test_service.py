"""What stamp promises, as scripts of events."""

from ei.bench.indoors import MODULES
from ei.sdk import DropPacket, SendPacket
from ei.testing.playbook import Playbook, address


def test_a_packet_goes_on_to_whom_its_metadata_names() -> None:
    play = Playbook(MODULES / "stamp", peers=["alice", "bob"])

    (sent,) = play.packet("alice", metadata=address("bob"))

    assert isinstance(sent, SendPacket)
    assert sent.to == address("bob")


def test_what_goes_to_nobody_is_dropped() -> None:
    play = Playbook(MODULES / "stamp", peers=["alice"])

    assert play.packet("alice", metadata=address("bob")) == (DropPacket("unknown_host"),)
