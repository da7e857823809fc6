"""What the second version of the ledger promises, as scripts of events."""

from pathlib import Path

from ei.lab.catalogue import SCENARIOS
from ei.scenarios.upgrade.second.ledger.service import NUMBER_BYTES, PAGE, QUESTION
from ei.sdk import DropPacket, SendPacket
from ei.testing.playbook import Playbook

FOLDER: Path = SCENARIOS / "upgrade" / "second" / "ledger"


def asked(play: Playbook, payload: bytes) -> bytes:
    *_, sent = play.packet("alice", payload=payload)
    assert isinstance(sent, SendPacket)
    return sent.packet.payload


def test_a_number_is_acknowledged_and_kept_on_its_page() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    number = (PAGE + 3).to_bytes(NUMBER_BYTES)

    assert asked(play, number) == b"\2" + number

    question = QUESTION + (1).to_bytes(NUMBER_BYTES)
    assert int.from_bytes(asked(play, question)[len(question) :]) == 1 << 3
    other = QUESTION + (0).to_bytes(NUMBER_BYTES)
    assert int.from_bytes(asked(play, other)[len(other) :]) == 0


def test_what_is_no_request_is_dropped() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    assert play.packet("alice", payload=b"?") == (DropPacket("bad_request"),)
