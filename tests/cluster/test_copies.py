"""What an owner believes of a member's answers."""

from random import Random

from tests.cluster.disks import FakeDisk
from tests.cluster.trio import TWO

from ei.cluster.copies import LEASE_S, MARGIN, Copy
from ei.cluster.entries import ORIGIN, make_entry
from ei.cluster.log import Log
from ei.cluster.messages import Append, Appended, Piece, Taken
from ei.cluster.writes import NOTHING, Rows, encode_writes


def a_log(count: int = 3) -> Log:
    log = Log(FakeDisk(Random(1)), Rows())
    for _ in range(count):
        log.add(make_entry(log.last, 1, encode_writes(NOTHING)))
    log.sync()
    return log


def a_copy() -> Copy:
    return Copy(200, 1, TWO, before=ORIGIN, beat=0, now_s=0.0)


def answer(beat: int, index: int, *, start: int = 5) -> Appended:
    return Appended(200, 1, beat, start, index, ())


def test_a_copy_is_sent_what_it_misses() -> None:
    log, copy = a_log(), a_copy()

    message = copy.next_message(log, beat=1, committed=0, now_s=0.0)

    assert isinstance(message, Append)
    assert len(message.entries) == 3
    assert not copy.take(answer(1, 3), log, now_s=0.1)
    assert copy.acked == 3


def test_a_lease_runs_from_when_was_asked_not_from_when_was_answered() -> None:
    log, copy = a_log(), a_copy()
    _ = copy.next_message(log, beat=1, committed=0, now_s=10.0)

    _ = copy.take(answer(1, 3), log, now_s=10.1)

    assert copy.lease_ends_s() == 10.0 + LEASE_S * MARGIN


def test_what_was_said_before_a_start_does_not_count_after_it() -> None:
    log, copy = a_log(), a_copy()
    for beat in (1, 2):
        _ = copy.next_message(log, beat=beat, committed=0, now_s=0.0)
    _ = copy.take(answer(2, 1, start=6), log, now_s=0.0)

    _ = copy.take(answer(1, 3, start=5), log, now_s=0.0)

    assert copy.acked == 1


def test_an_answer_that_claims_more_than_there_is_does_not_count() -> None:
    log, copy = a_log(), a_copy()
    _ = copy.next_message(log, beat=1, committed=0, now_s=0.0)

    _ = copy.take(answer(1, 4), log, now_s=0.0)

    assert copy.acked == -1


def test_who_has_another_history_is_asked_for_its_newest_common_place() -> None:
    log, copy = a_log(), a_copy()
    _ = copy.next_message(log, beat=1, committed=0, now_s=0.0)
    place, other = log.point(2), make_entry(ORIGIN, 9, b"other").point
    assert place is not None

    assert copy.take(Appended(200, 1, 1, 5, -1, (other, place, ORIGIN)), log, now_s=0.0)

    message = copy.next_message(log, beat=2, committed=0, now_s=0.0)
    assert isinstance(message, Append)
    assert message.before == place


def test_who_has_nothing_in_common_gets_a_snapshot_piece_by_piece() -> None:
    log, copy = a_log(), a_copy()
    log.apply_to(3)
    _ = copy.next_message(log, beat=1, committed=0, now_s=0.0)
    assert copy.take(Appended(200, 1, 1, 5, -1, ()), log, now_s=0.0)

    piece = copy.next_message(log, beat=2, committed=3, now_s=0.0)

    assert isinstance(piece, Piece)
    assert copy.statistics().is_in_transfer
    assert copy.take_taken(Taken(200, 1, 5, piece.transfer, piece.length))
    after = copy.next_message(log, beat=3, committed=3, now_s=0.0)
    assert isinstance(after, Append)
    assert after.before == log.last


def test_a_snapshot_for_one_that_started_anew_is_given_up() -> None:
    log, copy = a_log(), a_copy()
    _ = copy.next_message(log, beat=1, committed=0, now_s=0.0)
    _ = copy.take(Appended(200, 1, 1, 5, -1, ()), log, now_s=0.0)
    piece = copy.next_message(log, beat=2, committed=3, now_s=0.0)
    assert isinstance(piece, Piece)

    assert copy.take_taken(Taken(200, 1, 6, piece.transfer, 10))

    assert not copy.statistics().is_in_transfer


def test_who_is_lost_or_not_complete_for_long_is_overdue() -> None:
    copy = a_copy()
    assert not copy.is_overdue(0.5)
    assert copy.is_overdue(0.51)

    copy.is_lost = True

    assert copy.is_overdue(0.0)
