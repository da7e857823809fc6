"""What MODULE_NAME promises, as scripts of events."""

from pathlib import Path

import pytest

from ei.sdk import DropPacket, PacketArrived, SendPacket
from ei.testing import Playbook

FOLDER = Path(__file__).parent
DAY_S = 86_400.0


def answer_to(play: Playbook, host: str, payload: bytes) -> bytes:
    (sent,) = play.packet(host, payload=payload)
    assert isinstance(sent, SendPacket)
    return sent.packet.payload


def test_what_was_put_is_got() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    assert answer_to(play, "alice", b"get colour") == b"nothing"
    assert answer_to(play, "alice", b"put colour dark blue") == b"kept"
    assert answer_to(play, "alice", b"get colour") == b"dark blue"


def test_each_host_has_its_own_values() -> None:
    play = Playbook(FOLDER, peers=["alice", "bob"])

    assert answer_to(play, "alice", b"put colour blue") == b"kept"
    assert answer_to(play, "bob", b"get colour") == b"nothing"


def test_what_was_kept_is_there_after_a_restart_and_gone_after_a_day() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    assert answer_to(play, "alice", b"put colour blue") == b"kept"

    play.restart()
    assert answer_to(play, "alice", b"get colour") == b"blue"

    _ = play.advance(DAY_S + 1)
    assert answer_to(play, "alice", b"get colour") == b"nothing"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_understood"),
        (b"take colour", "not_understood"),
        (b"put colour", "not_understood"),
        (b"get " + bytes(65), "too_long"),
    ],
)
def test_what_makes_no_sense_is_dropped_for_a_reason(payload: bytes, reason: str) -> None:
    play = Playbook(FOLDER, peers=["alice"])
    packet = play.make_packet("alice", payload=payload)

    assert play >> PacketArrived(packet) << DropPacket(reason)
