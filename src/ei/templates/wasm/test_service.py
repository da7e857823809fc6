"""What MODULE_NAME promises, as scripts of events."""

from pathlib import Path

from ei.sdk import DropPacket, PacketArrived, SendPacket
from ei.testing import Playbook, address

FOLDER = Path(__file__).parent


def answer_to(play: Playbook, payload: bytes) -> bytes:
    (sent,) = play.packet("alice", payload=payload)
    assert isinstance(sent, SendPacket)
    assert sent.to == address("alice")
    return sent.packet.payload


def test_a_packet_comes_back_with_a_greeting() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    assert answer_to(play, b"ping") == b"MODULE_NAME ping"


def test_the_greeting_is_for_the_operator_to_choose() -> None:
    play = Playbook(FOLDER, peers=["alice"], config={"greeting": "good day,"})

    assert answer_to(play, b"alice") == b"good day, alice"


def test_what_is_too_long_to_be_greeted_is_dropped_for_that_reason() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    long = play.make_packet("alice", payload=bytes(1_001))

    assert play >> PacketArrived(long) << DropPacket("too_long")
