"""Who is told what."""

import msgspec

from ei.runtime.batches import EncodedAnswer, Outcome
from ei.runtime.codec import Codec
from ei.runtime.orders import NO_EFFECTS, NOTHING
from ei.runtime.replies import Replies

CODEC = Codec(())
FIRST, SECOND, THIRD = (
    EncodedAnswer(Outcome.DROPPED, reason, NO_EFFECTS) for reason in ("first", "second", "third")
)


def told(reply: bytes) -> tuple[int, int, list[str]]:
    """Return sequence, epoch and the reasons of the answers."""
    sequence, epoch, answers = msgspec.msgpack.decode(reply)
    return sequence, epoch, [reason for _, reason, _ in answers]


def test_a_reply_has_the_epoch_of_its_thread_and_its_extras_last() -> None:
    replies = Replies([], [], streams=1)
    replies.epochs[2] = 7
    replies.add(2, SECOND)

    reply, strays = replies.encode(CODEC, 5, 2, [FIRST])

    assert told(reply) == (5, 7, ["first", "second"])
    assert not strays
    assert 2 not in replies.extras


def test_what_another_thread_waits_for_is_a_stray_under_its_own_epoch() -> None:
    replies = Replies([], [], streams=1)
    replies.epochs[1] = 3
    replies.epochs[2] = 7
    replies.add(1, THIRD)

    reply, strays = replies.encode(CODEC, 5, 2, [FIRST])

    assert told(reply) == (5, 7, ["first"])
    assert [(origin, told(stray)) for origin, stray in strays] == [(1, (0, 3, ["third"]))]


def test_strays_are_kept_until_they_are_taken_once() -> None:
    replies = Replies([], [], streams=1)

    replies.keep([(1, b"one")])
    replies.keep([(3, b"three")])

    assert replies.take_strays() == [(1, b"one"), (3, b"three")]
    assert not replies.take_strays()


def test_an_answer_that_says_nothing_is_no_extra() -> None:
    replies = Replies([], [], streams=1)

    replies.add(0, NOTHING)

    assert 0 not in replies.extras


def test_extras_that_nobody_is_to_be_told_are_gone() -> None:
    replies = Replies([], [], streams=1)
    replies.add(0, FIRST)

    replies.forget_extras()

    assert told(replies.encode(CODEC, 1, 0, [])[0]) == (1, 0, [])
