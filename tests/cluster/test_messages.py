"""The control messages of service 5: pinned, cut into parts, put together again."""

import pytest

from ei.cluster.entries import ORIGIN
from ei.cluster.messages import (
    PIECE_BYTES,
    Append,
    Appended,
    Assembly,
    Piece,
    Refused,
    Taken,
    Whole,
    decode_message,
    encode_message,
)
from ei.errors import LimitError, PeerError

ZERO = "930000c420" + "00" * 32
GOLDEN: list[tuple[Whole, str]] = [
    (Append(200, 3, 9, 5, ORIGIN, (b"one",), 1, 0), f"9901ccc8030905{ZERO}91c4036f6e650100"),
    (Appended(200, 3, 9, 5, -1, (ORIGIN,)), f"9702ccc8030905ff91{ZERO}"),
    (Refused(200, 4), "9303ccc804"),
    (Piece(200, 3, 5, 1, 0, 3, b"abc"), "9804ccc80305010003c403616263"),
    (Taken(200, 3, 5, 1, 3), "9605ccc803050103"),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN, ids=lambda each: type(each).__name__)
def test_the_layout_is_pinned(message: Whole, golden: str) -> None:
    (encoded,) = encode_message(message)

    assert encoded.hex() == golden
    assert decode_message(encoded) == message


def test_a_long_message_comes_in_parts() -> None:
    message = Append(200, 3, 9, 5, ORIGIN, (bytes(3 * PIECE_BYTES),), 1, 0)
    assembly = Assembly()

    *first, last = [assembly.take(part) for part in encode_message(message)]

    assert first == [None, None, None]
    assert last == message


def test_a_message_whose_part_was_lost_is_lost_and_the_next_is_not() -> None:
    message = Append(200, 3, 9, 5, ORIGIN, (bytes(2 * PIECE_BYTES),), 1, 0)
    parts = list(encode_message(message))
    assembly = Assembly()

    assert [assembly.take(part) for part in parts[:1] + parts[2:]] == [None, None]

    assert [assembly.take(part) for part in parts][-1] == message


def test_what_is_no_message_is_refused_with_the_field() -> None:
    with pytest.raises(PeerError, match="not a message of a cluster"):
        decode_message(b"\x93\x63\x01\x01")
    with pytest.raises(PeerError, match="not a message of a cluster"):
        Assembly().take(b"\x01")


def test_a_message_has_a_longest() -> None:
    with pytest.raises(LimitError, match="up to 20971520 B allowed"):
        list(encode_message(Append(1, 1, 1, 1, ORIGIN, (bytes(21 * 2**20),), 1, 0)))
