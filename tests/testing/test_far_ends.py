"""Scripts with both ends of streams, on a toy that asks and answers."""

from pathlib import Path

import pytest

from ei.errors import ServiceError
from ei.sdk import Legacy, OpenStream, ReadStream, WriteStream
from ei.testing import Playbook

MANIFEST = """
id = 0xF0000001
name = "parrot"
version = "0.0.1"
summary = "Says again what it hears, or asks somewhere else."
capabilities = ["streams", "internet"]
drop_reasons = ["unwanted"]
"""

SERVICE = """
from ei.sdk import *


class Parrot(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        yield DropPacket("unwanted")

    def on_stream(self, event, ctx):
        match event:
            case StreamOpened(stream=stream, opening=b"ask"):
                yield OpenStream(stream | 1, Legacy("example.org", 80))
            case StreamOpened(opening=b"raise"):
                raise ValueError("planted")
            case StreamOpened(stream=stream) if stream % 2:
                yield SpliceStreams(stream ^ 1, stream)
            case StreamOpened(stream=stream):
                yield ReadStream(stream, idle_s=5.0)
            case StreamData(stream=stream, data=data, is_end=is_end):
                yield WriteStream(stream, data, is_end)
                if not is_end:
                    yield ReadStream(stream, idle_s=5.0)


SERVICE = Parrot
"""


@pytest.fixture
def play(tmp_path: Path) -> Playbook:
    folder = tmp_path / "parrot"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)
    return Playbook(folder, peers=["alice"])


def test_what_is_written_comes_back_and_the_end_too(play: Playbook) -> None:
    alice = play.open_stream("alice")

    effects = alice.write(b"hello")

    assert effects == (WriteStream(2, b"hello"), ReadStream(2, idle_s=5.0))
    assert (alice.read(2), alice.read()) == (b"he", b"llo")
    assert alice.end() == (WriteStream(2, b"", is_end=True),)
    assert (alice.is_ended, alice.closed) == (True, "ended")


def test_a_script_sees_where_a_stream_is_to_go_and_lets_it(play: Playbook) -> None:
    alice = play.open_stream("alice", b"ask")
    server = play.far_end(alice.stream | 1)
    assert (alice.to, server.to) == (None, Legacy("example.org", 80))

    _ = server.accept()
    _ = alice.write(b"hello", is_end=True)

    assert (server.read(), server.is_ended) == (b"hello", True)


def test_who_refuses_and_who_resets_is_heard(play: Playbook) -> None:
    first, second = play.open_stream("alice", b"ask"), play.open_stream("alice")

    assert play.far_end(first.stream | 1).refuse() == ()
    assert second.reset() == ()

    assert play.far_end(first.stream | 1).closed == "refused"
    assert second.closed == "reset"


def test_silence_ends_a_stream_in_time(play: Playbook) -> None:
    alice = play.open_stream("alice")
    _ = play.advance(4.0)
    _ = alice.write(b"still here")
    _ = play.advance(4.0)
    assert not alice.closed

    _ = play.advance(1.0)

    assert alice.closed == "deadline"


def test_an_event_that_raises_costs_its_stream(play: Playbook) -> None:
    with pytest.raises(ServiceError, match="planted"):
        _ = play.open_stream("alice", b"raise")

    assert play.far_end(2).closed == "closed"


def test_a_worker_that_starts_again_has_no_streams(play: Playbook) -> None:
    alice = play.open_stream("alice")

    play.restart()

    assert alice.closed == "lost"
    assert repr(alice).startswith("<FarEnd StreamModel(stream=2")


def test_an_end_that_was_sent_is_the_last(play: Playbook) -> None:
    alice = play.open_stream("alice")
    _ = alice.end()

    with pytest.raises(AssertionError, match="stream 2 was ended from here"):
        _ = alice.write(b"more")


def test_what_an_opening_was_answered_with_is_kept(play: Playbook) -> None:
    alice = play.open_stream("alice", b"ask")

    assert alice.effects == (OpenStream(3, Legacy("example.org", 80)),)
