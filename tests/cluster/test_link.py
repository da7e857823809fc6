"""Frames between a member's daemon and its workers."""

import pytest
from tests.cluster.trio import ALL, ONE, TWO

from ei.cluster.link import Frames, Hear, Resign, Say, See, downs, encode_frame, ups
from ei.cluster.ownership import Ownership
from ei.errors import LocalError


def test_what_was_said_is_heard_however_it_is_cut() -> None:
    said = [See(Ownership(1, ONE, (ONE,), 4), ALL, frozenset({TWO})), Hear(TWO, b"x"), Resign()]
    stream = b"".join(map(encode_frame, said))
    frames = Frames()

    heard = [frame for at in range(len(stream)) for frame in frames.feed(stream[at : at + 1])]

    assert [downs.decode(frame) for frame in heard] == said


def test_several_that_come_at_once_are_several() -> None:
    said = [Say(ONE, b"a"), Say(TWO, b"b")]

    heard = list(Frames().feed(b"".join(map(encode_frame, said))))

    assert [ups.decode(frame) for frame in heard] == said


def test_what_is_too_long_to_be_a_frame_is_refused() -> None:
    with pytest.raises(LocalError, match="up to 67108864 B allowed"):
        list(Frames().feed(b"\xff\xff\xff\xff"))
