"""The words of service 6 have one encoding, and nothing else is taken for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ei.attachment import (
    AttachmentMessage,
    Draining,
    Explain,
    Explained,
    Moved,
    decode,
    encode,
)
from ei.errors import PeerError
from ei.sdk.packets import Address

EXPLAIN = "951007c410000102030405060708090a0b0c0d0e0f1009"


@pytest.mark.parametrize(
    ("message", "golden"),
    [
        (Draining(10_000), "9200cd2710"),
        (Moved(), "9101"),
        (Explain(7, Address(bytes(range(16))), 16, 9), EXPLAIN),
        (Explained(7, b"signed"), "931107c4067369676e6564"),
    ],
)
def test_the_layout_is_pinned(message: AttachmentMessage, golden: str) -> None:
    assert encode(message).hex() == golden
    assert decode(bytes.fromhex(golden)) == message


@pytest.mark.parametrize("wrong", ["", "c0", "9200ff", "920001ff", "93000001", "9107", "910100ff"])
def test_what_is_no_message_is_refused_with_what_is_wrong(wrong: str) -> None:
    with pytest.raises(PeerError, match=r"service 6: ."):
        _ = decode(bytes.fromhex(wrong))


@given(some.binary(max_size=64))
def test_no_bytes_raise_anything_else(received: bytes) -> None:
    try:
        message = decode(received)
    except PeerError:
        return
    assert decode(encode(message)) == message
