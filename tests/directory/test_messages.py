"""Each message has one form, which is pinned; nothing else is one."""

import pytest

from ei.directory.messages import (
    MAX_MESSAGE_BYTES,
    Addressed,
    Answer,
    Ask,
    Attached,
    Find,
    Found,
    Message,
    Named,
    Refused,
    Register,
    Registered,
    Release,
    Unfound,
    decode,
    encode,
)
from ei.errors import PeerError

PLACE = bytes(range(16))
GOLDEN: list[tuple[Message, str]] = [
    (Find(7, Named("bob.isp-b")), "93 00 07 92 00 a9 626f622e6973702d62"),
    (Found(7, (b"e",)), "93 01 07 91 c4 01 65"),
    (Unfound(7, "busy"), "93 02 07 a4 62757379"),
    (Register(b"e"), "92 03 c4 01 65"),
    (Registered(PLACE, 9), f"94 04 c4 10 {PLACE.hex()} 09 a0"),
    (Ask(Attached(PLACE), 120), f"93 05 92 02 c4 10 {PLACE.hex()} 78"),
    (
        Answer(Addressed(PLACE), (b"o", b"e"), 120, is_leased=True),
        f"95 06 92 01 c4 10 {PLACE.hex()} 92 c4 01 6f c4 01 65 78 c3",
    ),
    (Refused(Named("x.y"), "busy"), "93 07 92 00 a3 782e79 a4 62757379"),
    (Release(Named("x.y")), "92 08 92 00 a3 782e79"),
]


@pytest.mark.parametrize(("message", "golden"), GOLDEN, ids=lambda each: type(each).__name__)
def test_the_bytes_of_each_message_are_pinned(message: Message, golden: str) -> None:
    assert encode(message) == bytes.fromhex(golden)
    assert decode(bytes.fromhex(golden)) == message


BAD = {
    "empty": "",
    "another kind": "92 09 00",
    "a field too many": "93 03 c4 01 65 00",
    "a longer form": "92 03 c5 0001 65",
    "no envelope": "93 01 07 90",
    "three envelopes": "93 01 07 93 c4 00 c4 00 c4 00",
    "an address of 15 bytes": f"92 08 92 01 c4 0f {PLACE[1:].hex()}",
    "a lease of two hours": f"93 05 92 02 c4 10 {PLACE.hex()} cd 1c20",
    "a name that is not text": "92 08 92 00 a3 ffffff",
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_message_is_refused(what: str) -> None:
    with pytest.raises(PeerError) as refused:
        decode(bytes.fromhex(BAD[what]))

    assert refused.value.word == "bad_message"


def test_a_message_longer_than_any_is_not_looked_at() -> None:
    with pytest.raises(PeerError) as refused:
        decode(bytes(MAX_MESSAGE_BYTES + 1))

    assert refused.value.word == "long_message"


def test_the_largest_answer_fits() -> None:
    largest = Answer(Named("n" * 200), (bytes(4_096), bytes(4_096)), 3_600, is_leased=True)

    assert decode(encode(largest)) == largest
