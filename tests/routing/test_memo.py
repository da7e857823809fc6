"""What verified is remembered, and no more of it than allowed."""

from ei.routing.memo import Memo


def test_what_was_added_is_known() -> None:
    memo = Memo(limit=2)

    memo.add(b"a")

    assert b"a" in memo
    assert b"b" not in memo
    assert memo.size_bytes() > 80


def test_at_most_twice_the_limit_is_kept_and_the_oldest_goes_first() -> None:
    memo = Memo(limit=2)

    for number in range(100):
        memo.add(bytes([number]))

    assert len(memo) <= 4
    assert bytes([99]) in memo
    assert bytes([0]) not in memo
    assert repr(memo) == f"<Memo of {len(memo)} digests, limit 2>"


def test_what_is_asked_for_stays() -> None:
    memo = Memo(limit=2)
    memo.add(b"kept")

    for number in range(100):
        memo.add(bytes([number]))
        assert b"kept" in memo


def test_a_memo_of_nothing_knows_nothing() -> None:
    memo = Memo(limit=0)

    memo.add(b"a")

    assert b"a" not in memo
