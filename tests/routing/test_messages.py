"""Messages of routing have one layout each, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import IntegrityError
from ei.routing.announcements import Offer
from ei.routing.messages import (
    MAX_MESSAGE_BYTES,
    Heard,
    Inside,
    Lost,
    Message,
    Start,
    Update,
    read_message,
    write_message,
)
from ei.routing.policy import Relation

GOLDEN: list[tuple[Message, str]] = [
    (Start(), "91 00"),
    (
        Update(3, has_more=False, announced=(b"ab",), withdrawn=(7,)),
        "95 01 03 c2 91 c4 02 61 62 91 07",
    ),
    (
        Inside(
            0,
            has_more=True,
            heard=(Heard(Relation.PEER, b"ab"),),
            lost=(Lost(7, 8),),
            offers=(Offer(16, 1, 2, 3),),
        ),
        "96 02 00 c3 91 92 01 c4 02 61 62 91 92 07 08 91 94 10 01 02 03",
    ),
    (Inside(1), "96 02 01 c2 90 90 c0"),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN)
def test_golden_bytes(message: Message, golden: str) -> None:
    written = bytes.fromhex(golden)

    assert write_message(message) == written
    assert read_message(written) == message


@pytest.mark.parametrize("wrong", ["91 03", "92 00 01", "95 01 03 c2 91 c4 02 61 62 91 00", ""])
def test_what_is_no_message_is_refused(wrong: str) -> None:
    with pytest.raises(IntegrityError, match="not a message of routing"):
        _ = read_message(bytes.fromhex(wrong))


def test_a_long_message_is_not_even_read() -> None:
    with pytest.raises(IntegrityError, match="exceeds the allowed 65536 B"):
        _ = read_message(bytes(MAX_MESSAGE_BYTES + 1))


@given(st.binary(max_size=200))
def test_d10_any_bytes_are_read_or_refused(received: bytes) -> None:
    try:
        message = read_message(received)
    except IntegrityError:
        return

    assert read_message(write_message(message)) == message
