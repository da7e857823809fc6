"""What was written last is there to be written again."""

from ei.ways.tail import Tail


def test_any_of_the_last_bytes_is_there() -> None:
    tail = Tail(5)
    for written in (b"abc", b"", b"defg"):
        tail.add(written)

    assert (tail.start, tail.end) == (2, 7)
    assert tail.piece(2, 3) == b"cde"
    assert tail.piece(5, 100) == b"fg"
    assert tail.piece(7, 100) == b""


def test_before_what_was_skipped_nothing_is_kept() -> None:
    tail = Tail(5)
    tail.add(b"ab")
    tail.skip(0)
    assert tail.start == 0

    tail.skip(3)
    tail.add(b"f")

    assert (tail.start, tail.end, tail.piece(5, 9)) == (5, 6, b"f")


def test_of_what_was_dropped_nothing_is_kept_and_it_counts() -> None:
    tail = Tail(5)
    tail.add(b"abc")

    tail.drop()
    tail.add(b"d")

    assert (tail.start, tail.end, tail.piece(3, 9)) == (3, 4, b"d")


def test_more_than_it_keeps_leaves_the_end_of_that() -> None:
    tail = Tail(2)

    tail.add(b"abcd")

    assert (tail.start, tail.piece(2, 9)) == (2, b"cd")
