from pathlib import Path

from ei.lab.catalogue import SCENARIOS
from ei.sdk import SendPacket
from ei.testing.playbook import Playbook, address

FOLDER: Path = SCENARIOS / "hostile" / "services" / "honest"


def test_it_answers_each_packet() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    (sent,) = play.packet("alice", payload=b"there?")

    assert isinstance(sent, SendPacket)
    assert (sent.to, sent.packet.payload) == (address("alice"), b"there?")
