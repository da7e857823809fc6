"""What the good version of the greeter promises."""

from ei.lab.catalogue import SCENARIOS
from ei.sdk import SendPacket
from ei.testing.playbook import Playbook


def test_it_answers_with_its_version_and_what_it_was_sent() -> None:
    play = Playbook(SCENARIOS / "governance" / "good" / "greeter", peers=["alice"])

    (sent,) = play.packet("alice", payload=b"\0" * 7 + b"\x14")

    assert isinstance(sent, SendPacket)
    assert sent.packet.payload == b"\1" + b"\0" * 7 + b"\x14"
