"""What entries do to a state, and a state as one file."""

from math import inf

import pytest

from ei.cluster.entries import Point
from ei.cluster.writes import (
    NOTHING,
    Rows,
    Writes,
    decode_snapshot,
    decode_writes,
    encode_snapshot,
    encode_writes,
)
from ei.errors import IntegrityError

AT = Point(7, 2, bytes(32))


def test_an_entry_that_is_done_twice_is_done_once() -> None:
    rows = Rows()
    writes = Writes(5.0, [(b"a", b"1", inf), (b"b", b"2", 9.0)], [b"c"])

    rows.apply(writes)
    rows.apply(decode_writes(encode_writes(writes)))

    assert rows.rows() == [(b"a", b"1", inf), (b"b", b"2", 9.0)]
    assert rows.unix_s == 5.0


def test_nothing_changes_nothing() -> None:
    rows = Rows()

    rows.apply(decode_writes(encode_writes(NOTHING)))

    assert (len(rows), rows.unix_s) == (0, -inf)


def test_a_snapshot_is_the_state_again() -> None:
    rows = [(b"a", b"1", inf), (b"b", b"", 9.0)]

    assert decode_snapshot(encode_snapshot(AT, rows)) == (AT, rows)


def test_the_layout_is_pinned() -> None:
    content = encode_snapshot(AT, [(b"a", b"1", inf)])

    assert content[:-32] == bytes.fromhex(
        "45495331 0700000000000000 0200000000000000 " + "00" * 32 + " 1100000000000000"
        "91 93 c40161 c40131 cb7ff0000000000000 "
    )


def test_d3_every_flipped_bit_of_a_snapshot_is_noticed() -> None:
    content = encode_snapshot(AT, [(b"a", b"1", inf)])
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << (at % 8)

        with pytest.raises(IntegrityError):
            decode_snapshot(bytes(changed))


def test_what_is_no_entry_is_refused() -> None:
    with pytest.raises(IntegrityError, match="log entry"):
        decode_writes(b"\x93\x01")
    with pytest.raises(IntegrityError, match="snapshot of 3 B"):
        decode_snapshot(b"abc")
