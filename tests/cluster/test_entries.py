"""The bytes of a log: pinned, chained, and never guessed at."""

import pytest

from ei.cluster.entries import (
    HEADER_BYTES,
    ORIGIN,
    Point,
    Verdict,
    encode_header,
    make_entry,
    read_entry,
    recover,
)
from ei.errors import IntegrityError


def a_log() -> bytes:
    first = make_entry(ORIGIN, 1, b"one")
    second = make_entry(first.point, 2, b"two")
    return encode_header(ORIGIN, is_whole=True) + first.encoded + second.encoded


def test_the_layout_is_pinned() -> None:
    assert encode_header(Point(5, 3, bytes(range(32))), is_whole=True) == bytes.fromhex(
        "45494c31 01 000000 0500000000000000 0300000000000000 "
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 40feb4f3 "
    )
    assert make_entry(ORIGIN, 1, b"one").encoded == bytes.fromhex(
        "03000000 0100000000000000 0100000000000000 4847bec2 "
        "0602a2f6dd7368389026fda913cd4e9bc086fd315519813330220fb38a57fa3b 6f6e65 "
    )


def test_what_was_written_is_read() -> None:
    found = recover(a_log())

    assert [entry.body for entry in found.entries] == [b"one", b"two"]
    assert (found.is_whole, found.start, found.verdict) == (True, ORIGIN, Verdict.WHOLE)


@pytest.mark.parametrize("lost", [1, 3, 10, 58])
def test_a_torn_end_is_left_out(lost: int) -> None:
    found = recover(a_log()[:-lost])

    assert [entry.body for entry in found.entries] == [b"one"]
    assert found.verdict is Verdict.TORN


def test_an_end_of_zeros_is_torn() -> None:
    found = recover(a_log() + bytes(500))

    assert (len(found.entries), found.verdict) == (2, Verdict.TORN)


def test_d3_no_flipped_bit_is_taken_for_a_torn_write() -> None:
    log = a_log()
    for at in range(len(log)):
        for bit in range(8):
            changed = bytearray(log)
            changed[at] ^= 1 << bit

            found = recover(bytes(changed))

            # Its header's spare bytes are under the checksum as well.
            assert found.verdict is Verdict.DAMAGED, (at, bit)
            assert not found.is_whole or at >= HEADER_BYTES


def test_a_file_without_a_header_is_damaged() -> None:
    assert recover(b"").verdict is Verdict.DAMAGED
    assert recover(bytes(HEADER_BYTES)).verdict is Verdict.DAMAGED


def test_an_entry_counts_only_after_the_one_before_it() -> None:
    first = make_entry(ORIGIN, 1, b"one")
    second = make_entry(first.point, 1, b"two")

    assert read_entry(second.encoded, first.point) == second
    with pytest.raises(IntegrityError, match="does not verify after entry 0"):
        read_entry(second.encoded, ORIGIN)
    with pytest.raises(IntegrityError, match="log entry of 3 B, at least 56 B allowed"):
        read_entry(b"abc", ORIGIN)
