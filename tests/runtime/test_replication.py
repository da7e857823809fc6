"""A worker's replica and the socket to its member."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ei.cluster.link import Down, Frames, Hear, Resign, Say, See, Stand, Up, encode_frame, ups
from ei.cluster.log import Log
from ei.cluster.messages import Append, Appended, decode_message, encode_message
from ei.cluster.ownership import Ownership
from ei.cluster.replica import Replica
from ei.cluster.writes import Rows, Writes
from ei.errors import LimitError
from ei.runtime.disk import FolderDisk
from ei.runtime.replication import Replication
from ei.runtime.stores.transactions import RefusedError
from ei.sdk.packets import Address

ME, OTHER = (Address(b"\xfd\x35" + bytes([number]) * 14) for number in (1, 2))
BOTH = frozenset({ME, OTHER})
WRITES = Writes(1.0, [(b"a", b"1", float("inf"))], [])


class Member:
    """The daemon's end of a worker's socket, on a clock that goes on when it is looked at."""

    def __init__(self, folder: Path, *, copies: int) -> None:
        self.now_s = 10.0
        self.disk = FolderDisk(folder / "replica")
        self.rows = Rows()
        log = Log(self.disk, self.rows)
        replica = Replica(7, ME, log=log, copies=copies, start=9, now_s=self.clock_s())
        self.ours, self.theirs = socket.socketpair()
        self.replication = Replication(replica, self.theirs, self.clock_s)
        self._frames = Frames()

    def clock_s(self) -> float:
        self.now_s += 0.02
        return self.now_s

    def tell(self, *messages: Down) -> None:
        for message in messages:
            self.ours.sendall(encode_frame(message))

    def heard(self) -> list[Up]:
        self.ours.settimeout(0)
        try:
            received = self.ours.recv(1 << 20)
        except BlockingIOError:
            return []
        return [ups.decode(frame) for frame in self._frames.feed(received)]

    def own(self, *in_sync: Address) -> None:
        """Let it own the state, and wait until it may."""
        self.tell(See(Ownership(1, ME, in_sync, 3), BOTH, frozenset()))
        for _ in range(40):
            self.replication.turn()

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.disk.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Member]:
    member = Member(tmp_path, copies=1)
    yield member
    member.close()


@pytest.fixture
def paired(tmp_path: Path) -> Iterator[Member]:
    member = Member(tmp_path, copies=2)
    yield member
    member.close()


def test_one_that_owns_the_state_alone_commits_by_its_own_disk(alone: Member) -> None:
    alone.own(ME)
    assert alone.replication.is_ready

    alone.replication.commit(WRITES)
    alone.replication.confirm()

    assert alone.rows.rows() == [(b"a", b"1", float("inf"))]
    assert alone.replication.is_ready


def test_one_whose_disk_is_full_ends_once_it_has_said_so(alone: Member, tmp_path: Path) -> None:
    alone.own(ME)
    alone.disk.close()
    for file in (tmp_path / "replica").iterdir():
        file.unlink()
        file.symlink_to("/dev/full")

    with pytest.raises(LimitError, match="the disk is full"):
        alone.replication.commit(WRITES)

    with pytest.raises(LimitError, match="the disk is full"):
        alone.replication.turn()


def test_its_member_is_told_how_it_stands(alone: Member) -> None:
    alone.replication.turn()
    alone.own(ME)

    stands = [each.standing for each in alone.heard() if isinstance(each, Stand)]

    assert (stands[0].role, stands[0].is_new, stands[0].is_serving) == ("following", True, False)
    assert (stands[-1].role, stands[-1].revision, stands[-1].is_serving) == ("owning", 3, True)


def test_who_does_not_own_the_state_refuses(alone: Member) -> None:
    with pytest.raises(RefusedError, match="another member owns the state") as refused:
        alone.replication.commit(WRITES)

    assert refused.value.word == "not_owner"
    assert not alone.replication.is_in_doubt


def test_below_the_copies_it_refuses_and_nothing_is_in_doubt(paired: Member) -> None:
    paired.own(ME)

    with pytest.raises(RefusedError) as refused:
        paired.replication.commit(WRITES)

    assert refused.value.word == "too_few_copies"
    assert paired.replication.is_ready


def test_a_write_that_the_others_do_not_answer_is_in_doubt(paired: Member) -> None:
    paired.own(ME)
    paired.tell(See(Ownership(1, ME, (ME, OTHER), 4), BOTH, frozenset()))
    paired.replication.turn()

    with pytest.raises(RefusedError, match="it may be done yet") as refused:
        paired.replication.commit(WRITES)

    assert refused.value.word == "too_few_copies"
    assert paired.replication.is_in_doubt
    assert not paired.replication.is_ready
    assert len(paired.rows) == 0


def test_what_was_in_doubt_is_there_once_the_others_have_it(paired: Member) -> None:
    test_a_write_that_the_others_do_not_answer_is_in_doubt(paired)
    appends = [
        message
        for each in paired.heard()
        if isinstance(each, Say) and isinstance(message := decode_message(each.message), Append)
    ]
    last = appends[-1]

    (answer,) = encode_message(Appended(7, last.epoch, last.beat, 5, last.last, ()))
    paired.tell(Hear(OTHER, answer))
    paired.replication.turn()

    assert paired.replication.is_ready
    assert len(paired.rows) == 1


def test_one_that_resigns_serves_nobody(alone: Member) -> None:
    alone.own(ME)

    alone.tell(Resign())
    alone.replication.turn()

    assert not alone.replication.is_ready


def test_what_is_no_message_changes_nothing(alone: Member) -> None:
    alone.tell(Hear(OTHER, b"?"))

    alone.replication.turn()

    assert alone.replication.epoch == 0


def test_it_ends_with_its_member(alone: Member) -> None:
    alone.ours.close()

    with pytest.raises(ConnectionError):
        alone.replication.turn()
