import pytest

from ei.dissector.fields import Field
from ei.dissector.walk import Malformed, Walk


def test_bytes_are_passed_once_from_front_to_back() -> None:
    walk = Walk(b"\x12\x05\x00rest")

    assert walk.nibbles("ei.version", "ei.type") == (1, 2)
    assert walk.number("ei.handshake_length", 2) == 5
    assert walk.left == 4
    assert walk.fields == [
        Field("ei.version", "1"), Field("ei.type", "2"), Field("ei.handshake_length", "5"),
    ]  # fmt: skip


def test_the_end_of_the_bytes_is_named_by_the_callers_reason() -> None:
    walk = Walk(b"\x01")

    with pytest.raises(Malformed) as refusal:
        walk.take("ei.tag", 16, reason="bad_header")

    assert refusal.value.reason == "bad_header"
    assert walk.left == 1


def test_nothing_is_noted_of_an_empty_field() -> None:
    walk = Walk(b"")

    assert walk.take("ei.metadata", 0) == b""
    assert walk.fields == []
