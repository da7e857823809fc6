import pytest

from ei.dissector.end_to_end import end_to_end
from ei.dissector.walk import Malformed, Walk


def fields_of(payload: bytes) -> dict[str, str]:
    walk = Walk(payload)
    end_to_end(walk)
    return {field.name: field.value for field in walk.fields}


def test_a_sealed_datagram_has_key_counter_ciphertext_and_tag() -> None:
    assert fields_of(b"\7\0\0\0" + b"\2" + bytes(7) + b"\xff" + bytes(16)) == {
        "ei.e2e.key_id": "0x00000007",
        "ei.e2e.counter": "2",
        "ei.e2e.ciphertext": "ff",
        "ei.e2e.tag": ":".join(["00"] * 16),
    }


def test_a_handshake_message_begins_with_zero() -> None:
    start = bytes(4) + b"\1\1\0\0"

    fields = fields_of(start + b"\1\2\3\4" + b"\1\0\0\0" + b"handshake")

    assert fields["ei.e2e.type"] == "1"
    assert fields["ei.e2e.sender_key_id"] == "0x04030201"
    assert fields["ei.e2e.handshake"] == b"handshake".hex(":")


def test_what_is_too_short_or_unknown_is_malformed() -> None:
    for payload in (b"", b"\7\0\0\0", b"\7\0\0\0" + bytes(23), bytes(4) + b"\5\1\0\0"):
        with pytest.raises(Malformed) as refusal:
            end_to_end(Walk(payload))

        assert refusal.value.reason == "bad_end_to_end"


def test_answers_of_a_handshake_name_the_key_they_answer() -> None:
    response = bytes(4) + b"\2\1\0\0" + b"\1\0\0\0" + b"\2\0\0\0" + b"handshake"
    half = bytes(4) + b"\4\1\0\0" + b"\3\0\0\0" + b"half"
    cookie = bytes(4) + b"\3\0\0\0" + b"\2\0\0\0" + bytes(16)

    assert fields_of(response)["ei.e2e.receiver_key_id"] == "0x00000002"
    assert fields_of(response)["ei.e2e.handshake"] == b"handshake".hex(":")
    assert (fields_of(half)["ei.e2e.half"], fields_of(half)["ei.e2e.sender_key_id"]) == (
        "1",
        "0x00000003",
    )
    assert fields_of(cookie)["ei.e2e.cookie"] == ":".join(["00"] * 16)
