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


def test_more_than_it_keeps_leaves_the_end_of_that() -> None:
    tail = Tail(2)

    tail.add(b"abcd")

    assert (tail.start, tail.piece(2, 9)) == (2, b"cd")
