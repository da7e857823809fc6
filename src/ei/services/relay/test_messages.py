"""What hosts and nodes say of circuits and tokens, byte by byte."""

import msgspec
import pytest

from ei.sdk import Address, Legacy
from ei.services.relay.messages import (
    LENGTH_BYTES,
    MAX_KEYS,
    Admission,
    AskKeys,
    Ended,
    IssuerKeys,
    KeysOf,
    Opening,
    Sign,
    Signed,
    Status,
    To,
    Validity,
    grant_of_token,
    read_keys,
    read_opening,
    read_status,
    write_keys,
    write_opening,
    write_status,
)

NODE = Address(b"\xfd5" + bytes(13) + b"\7")
AT_NODE = "c410" + NODE.hex()


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (AskKeys(NODE, 3), f"9300{AT_NODE}03"),
        (IssuerKeys(NODE, b"b", b"i", b"s"), f"9501{AT_NODE}c40162c40169c40173"),
        (Sign(5, (b"r",)), "93020591c40172"),
        (Signed(5, (b"a",)), "94030591c40161a0"),
        (
            Ended(NODE, bytes(7) + b"\1", NODE, "hop_lost"),
            f"9504{AT_NODE}c4080000000000000001{AT_NODE}a8686f705f6c6f7374",
        ),
    ],
)
def test_control_messages_have_their_bytes(message: msgspec.Struct, written: str) -> None:
    assert msgspec.msgpack.encode(message).hex() == written
    assert msgspec.msgpack.decode(bytes.fromhex(written), type=type(message)) == message


@pytest.mark.parametrize(
    ("opening", "written"),
    [
        (KeysOf(NODE, b"k"), f"9300{AT_NODE}c4016b"),
        (Admission(NODE, b"t"), f"9301{AT_NODE}c40174"),
        (To(Legacy("a.b", 443), b"g" * 16), "93029400a3612e62cd01bba3746370c410" + "67" * 16),
    ],
)
def test_openings_have_their_bytes(opening: Opening, written: str) -> None:
    assert write_opening(opening).hex() == written
    assert read_opening(bytes.fromhex(written)) == opening


def test_a_status_has_its_bytes() -> None:
    status = Status("no", "x", (b"k",), 9)

    assert write_status(status).hex() == "0b00" + "94a26e6fa17891c4016b09"
    assert read_status(write_status(status)[LENGTH_BYTES:]) == status


def test_keys_have_their_bytes() -> None:
    keys = (Validity(b"k", 1),)

    assert write_keys(keys).hex() == "9192c4016b01"
    assert read_keys(write_keys(keys)) == keys


@pytest.mark.parametrize(
    "junk", ["", "c1", "9192c4016bcb7ff8000000000000", "9192c4016b" + "ff", "93" * 9]
)
def test_what_is_none_is_said_not_to_be(junk: str) -> None:
    for read in (read_keys, read_opening, read_status):
        with pytest.raises(ValueError, match=r"^not "):
            _ = read(bytes.fromhex(junk))


def test_more_keys_than_may_be_good_are_none() -> None:
    with pytest.raises(ValueError, match="not a list of keys"):
        _ = read_keys(write_keys((Validity(b"k", 1),) * (MAX_KEYS + 1)))


def test_a_grant_is_known_by_its_token() -> None:
    assert grant_of_token(b"token") != grant_of_token(b"other")
    assert len(grant_of_token(b"token")) == 16
