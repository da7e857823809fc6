"""What MODULE_NAME promises, as scripts of events."""

from pathlib import Path

from ei.sdk import SendPacket
from ei.testing import Playbook

FOLDER = Path(__file__).parent


def test_a_packet_comes_back_in_capitals() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    (sent,) = play.packet("alice", payload=b"ping")

    assert isinstance(sent, SendPacket)
    assert sent.packet.payload == b"PING"


def test_a_stream_comes_back_in_capitals() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    alice = play.open_stream("alice")

    _ = alice.write(b"hello ")
    assert alice.read() == b"HELLO "

    _ = alice.write(b"world", is_end=True)
    assert alice.read() == b"WORLD"
    assert alice.is_ended


def test_no_more_is_read_than_may_be_written() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    alice = play.open_stream("alice", window=4)

    _ = alice.write(b"hello world", is_end=True)

    assert alice.read() == b"HELL"
    assert b"".join(iter(alice.read, b"")) == b"O WORLD"
    assert alice.is_ended


def test_of_a_stream_that_broke_nothing_is_kept() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    alice = play.open_stream("alice")

    _ = alice.reset()

    assert play.statistics().ephemeral.entries == 0
