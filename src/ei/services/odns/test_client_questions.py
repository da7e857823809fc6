import struct

import pytest

from ei.services.odns.client_questions import anonymous

QUESTION = b"\3www\7example\0\0\1\0\1"


def message(
    *options: tuple[int, bytes], number: int = 7, size: int = 4_096, do: int = 0x8000
) -> bytes:
    written = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
    opt = b"\0" + struct.pack("!HHIH", 41, size, do, len(written)) + written
    return struct.pack("!HHHHHH", number, 0x0120, 1, 0, 0, 1) + QUESTION + opt


def test_two_askers_say_the_same() -> None:
    one = message((10, b"cookie.."), (8, b"\0\1\x18\0\xc0\0\2"), size=4_096)
    other = message((65_001, b"mac..."), (10, b"another."), number=99, size=1_400)

    assert anonymous(one) == anonymous(other) == message(number=0, size=1_232)


def test_what_is_asked_stays() -> None:
    plain = struct.pack("!HHHHHH", 7, 0x0110, 1, 0, 0, 0) + QUESTION

    assert anonymous(plain) == b"\0\0" + plain[2:]
    assert anonymous(message((3, b""))) == message((3, b""), number=0, size=1_232)
    assert anonymous(message(do=0)) == message(number=0, size=1_232, do=0)


@pytest.mark.parametrize("length", [0, 11, 12, 20, 30, 40, 45])
def test_a_message_that_was_cut_is_none(length: int) -> None:
    with pytest.raises(ValueError, match=r"early|records"):
        _ = anonymous(message((3, b"nsid"))[:length])


def test_further_records_do_not_go() -> None:
    signed = message()[:10] + b"\0\2" + message()[12:]
    other = message().replace(struct.pack("!H", 41), struct.pack("!H", 250))

    for each in (signed, other):
        with pytest.raises(ValueError, match="further records"):
            _ = anonymous(each)
