"""Streams joined to sockets: bytes, ends and breaks go from one to the other without Python."""

import errno
import hashlib
import os
import select
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from tests.native.test_streams import ALICE, BOB, CONNECTION, Pair

PATTERN = bytes(range(251)) * 20_000
"""5 MB."""


class Joined(Pair):
    """Alice has a stream with Bob, who has joined it to a TCP connection.

    Attributes:
        far: The other end of the connection.
    """

    def __init__(self, near: socket.socket, far: socket.socket, *, keep_bytes: int = 0) -> None:
        super().__init__()
        self.connect()
        opened = self.alice.open_stream(BOB, CONNECTION, is_bidirectional=True)
        assert opened is not None
        self.stream = opened
        _ = self.alice.write(BOB, CONNECTION, opened, b"!")
        self.run()
        self.far = far
        self.bob.join(self.now_ns, ALICE, CONNECTION, opened, near.detach(), keep_bytes=keep_bytes)
        self.go()
        assert far.recv(1) == b"!"

    def go(self) -> None:
        """Let sockets and streams move what they have."""
        while True:
            ready, _, _ = select.select([self.bob.joints_fileno()], (), (), 0)
            self.bob.poll_joints(self.now_ns)
            self.run()
            if not ready:
                return

    def wait(self, duration_s: float) -> None:
        """Let time pass, in which nothing comes from outside."""
        until_ns = self.now_ns + int(duration_s * 1e9)
        while (due_ns := self.bob.next_deadline_ns()) is not None and due_ns < until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.alice.poll(self.now_ns)
            self.bob.poll(self.now_ns)
            self.go()
        self.now_ns = until_ns
        self.go()

    def say(self, data: bytes) -> int:
        taken = self.alice.write(BOB, CONNECTION, self.stream, data)
        self.go()
        return taken

    def bob_was_told(self, word: str) -> list[object]:
        return [event[4] for event in self.events["bob"] if event[0] == word]


@contextmanager
def tcp_pair() -> Generator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.create_connection(server.getsockname())
        near, _ = server.accept()
    with near, far:
        far.settimeout(5)
        yield near, far


@pytest.fixture
def joined() -> Generator[Joined]:
    with tcp_pair() as (near, far):
        yield Joined(near, far)


def carried(joined: Joined) -> tuple[int, int]:
    return joined.bob.joint(ALICE, CONNECTION, joined.stream)[:2]


def test_bytes_go_both_ways_and_an_end_leaves_the_other_direction_open(joined: Joined) -> None:
    _ = joined.say(b"question")
    joined.alice.finish(BOB, CONNECTION, joined.stream)
    joined.go()
    assert (joined.far.recv(100), joined.far.recv(100)) == (b"question", b"")
    joined.far.sendall(b"answer")
    assert select.select([joined.bob.joints_fileno()], (), (), 5)[0]
    joined.go()
    assert joined.bob_was_told("joint_ended") == []

    joined.far.shutdown(socket.SHUT_WR)
    assert select.select([joined.bob.joints_fileno()], (), (), 5)[0]
    joined.go()

    assert joined.alice.read(BOB, CONNECTION, joined.stream, 100) == (b"answer", "finished", 0)
    assert joined.bob_was_told("joint_ended") == [0]
    assert carried(joined) == (9, 6)


def test_what_a_joined_stream_has_is_no_event(joined: Joined) -> None:
    joined.events["bob"].clear()

    _ = joined.say(b"question")

    assert joined.events["bob"] == []


def test_a_socket_that_takes_nothing_slows_the_stream(joined: Joined) -> None:
    said = 0
    while taken := joined.say(PATTERN):
        said += taken
        assert said < 60_000_000
    heard = hashlib.sha256()
    length = 0

    while length < said:
        piece = joined.far.recv(1 << 20)
        heard.update(piece)
        length += len(piece)
        joined.go()

    expected = hashlib.sha256((PATTERN * (said // len(PATTERN) + 1))[:said])
    assert heard.digest() == expected.digest()


def test_a_stream_that_takes_nothing_slows_the_socket(joined: Joined) -> None:
    joined.far.settimeout(0)
    said = 0
    quiet = 0
    while quiet < 3:
        try:
            said += joined.far.send(PATTERN[said % len(PATTERN) :])
            quiet = 0
        except BlockingIOError:
            quiet += 1
        joined.go()
        assert said < 60_000_000
    joined.far.shutdown(socket.SHUT_WR)

    got = bytearray()
    state = "open"
    while state == "open":
        piece, state, _ = joined.alice.read(BOB, CONNECTION, joined.stream, 1 << 20)
        got += piece
        joined.go()

    assert bytes(got) == (PATTERN * (said // len(PATTERN) + 1))[:said]


def test_a_connection_that_breaks_is_told_with_its_error(joined: Joined) -> None:
    joined.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    joined.far.close()
    joined.go()

    assert joined.bob_was_told("joint_broke") == [errno.ECONNRESET]


@pytest.mark.parametrize("is_reading", [True, False])
def test_the_answer_of_a_server_that_closes_with_the_request_unread_arrives(
    joined: Joined, *, is_reading: bool
) -> None:
    while joined.say(PATTERN):
        pass
    _ = joined.far.recv(1_000)
    joined.far.sendall(b"413")
    joined.far.close()
    if is_reading:
        joined.go()
    else:
        joined.run()

    _ = joined.say(b"more of the request")
    joined.go()

    assert joined.alice.read(BOB, CONNECTION, joined.stream, 100)[0] == b"413"
    assert joined.bob_was_told("joint_broke") == []
    joined.wait(1.1)
    [broke] = joined.bob_was_told("joint_broke")
    assert broke in {errno.ECONNRESET, errno.EPIPE}


def test_an_answer_that_ends_before_the_connection_breaks_is_whole(joined: Joined) -> None:
    while joined.say(PATTERN):
        pass
    joined.far.sendall(b"413")
    joined.far.shutdown(socket.SHUT_WR)
    joined.far.close()
    joined.go()

    assert joined.alice.read(BOB, CONNECTION, joined.stream, 100) == (b"413", "finished", 0)


def test_an_answer_that_is_cut_off_does_not_look_whole(joined: Joined) -> None:
    while joined.say(PATTERN):
        pass
    joined.far.sendall(b"413")
    joined.far.close()
    joined.go()
    joined.wait(1.1)

    assert joined.alice.read(BOB, CONNECTION, joined.stream, 100) == (b"413", "open", 0)
    assert len(joined.bob_was_told("joint_broke")) == 1


def test_a_stream_that_is_given_up_is_told_as_of_any_other(joined: Joined) -> None:
    joined.alice.reset(BOB, CONNECTION, joined.stream, 7)
    joined.go()

    assert 7 in joined.bob_was_told("stream_reset")


def test_a_peer_that_wants_no_more_is_told_as_of_any_other(joined: Joined) -> None:
    joined.alice.stop(BOB, CONNECTION, joined.stream, 8)
    joined.far.sendall(b"more")
    joined.go()

    assert 8 in joined.bob_was_told("stream_stopped")


def test_parting_closes_the_connection_or_resets_it() -> None:
    for is_reset in (False, True):
        with tcp_pair() as (near, far):
            joined = Joined(near, far)
            joined.bob.part(ALICE, CONNECTION, joined.stream, is_reset=is_reset)
            joined.bob.part(ALICE, CONNECTION, joined.stream, is_reset=is_reset)

            if is_reset:
                with pytest.raises(ConnectionResetError):
                    _ = far.recv(1)
            else:
                assert far.recv(1) == b""
            with pytest.raises(ConnectionError, match="not joined"):
                _ = joined.bob.joint(ALICE, CONNECTION, joined.stream)
            assert joined.bob.statistics()["joints"] == 0


def test_what_is_no_socket_is_refused_and_closed() -> None:
    pair = Pair()
    pair.connect()
    with open(os.devnull, "rb") as file:  # noqa: PTH123 its descriptor alone matters
        descriptor = os.dup(file.fileno())

    with pytest.raises(OSError, match="not permitted"):
        pair.bob.join(0, ALICE, CONNECTION, 0, descriptor)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(descriptor)
    with pytest.raises(ValueError, match="0 or more"):
        pair.bob.join(0, ALICE, CONNECTION, 0, -1)


def test_a_connection_whose_stream_is_lost_comes_back_with_what_was_on_its_way() -> None:
    with tcp_pair() as (near, far):
        joined = Joined(near, far, keep_bytes=5)
        far.sendall(b"0123456")
        assert select.select([joined.bob.joints_fileno()], (), (), 5)[0]
        joined.go()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        while joined.say(PATTERN):
            pass
        was_carried = carried(joined)

        descriptor, *counts, unsent, tail = joined.bob.leave(ALICE, CONNECTION, joined.stream)

        assert (tuple(counts), tail) == (was_carried, b"23456")
        assert 0 < len(unsent) <= 65_536
        with socket.socket(fileno=descriptor) as back:
            assert back.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        with pytest.raises(ConnectionError, match="not joined"):
            _ = joined.bob.leave(ALICE, CONNECTION, joined.stream)
