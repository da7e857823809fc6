from hypothesis import given
from hypothesis import strategies as st

from ei.dissector.datagrams import PORT, dissect, is_ours

HEADER = bytes.fromhex(
    "1340020110000000080706050403020104000302"  # fixed
    "fd350000000100000000000000000009aabbcc"  # source, metadata
)  # fmt: skip
INDEX_AND_COUNTER = bytes.fromhex("2301cdab0807060504030201")


def data(flags: int, sealed: bytes, after: bytes = b"") -> bytes:
    return (
        bytes([0x14, flags])
        + len(sealed).to_bytes(2, "little")
        + INDEX_AND_COUNTER
        + sealed
        + after
    )


def fields_of(datagram: bytes, comment: str = "") -> dict[str, str]:
    return {field.name: field.value for field in dissect(datagram, comment=comment)}


def test_what_is_sealed_stays_bytes() -> None:
    fields = fields_of(data(0x00, HEADER + bytes(16), b"\xff"))

    assert fields["ei.sealed"] == HEADER.hex(":")
    assert fields["ei.payload"] == "ff"
    assert "ei.service" not in fields


def test_an_opened_header_is_named_field_by_field() -> None:
    fields = fields_of(data(0x80, HEADER + bytes(16), b"\1\2\3\4\0\0"))

    assert fields == {
        "ei.version": "1",
        "ei.type": "4",
        "ei.flags": "0x80",
        "ei.flags.covered": "0",
        "ei.flags.opened": "1",
        "ei.sealed_length": "55",
        "ei.receiver_index": "0xabcd0123",
        "ei.lane": "3",
        "ei.counter": str(0x0102030405060708),
        "ei.header.version": "1",
        "ei.header.flags": "0x03",
        "ei.header.flags.origin": "1",
        "ei.header.flags.traced": "1",
        "ei.hop_limit": "64",
        "ei.class": "258",
        "ei.service": "16",
        "ei.connection": str(0x0102030405060708),
        "ei.payload_length": "4",
        "ei.metadata_length": "3",
        "ei.protection": "2",
        "ei.source": "fd35:0:1::9",
        "ei.metadata": "aa:bb:cc",
        "ei.tag": ":".join(["00"] * 16),
        "ei.payload": "01:02:03:04",
        "ei.padding": "00:00",
    }


def test_a_covered_payload_is_found_inside_the_seal() -> None:
    fields = fields_of(data(0x81, HEADER + b"\1\2\3\4" + bytes(16)))

    assert fields["ei.payload"] == "01:02:03:04"


def test_a_control_message_has_its_own_fields() -> None:
    header = bytearray(HEADER[:20] + bytes.fromhex("10000000020000000100000000"))
    header[0], header[4], header[18] = 0x10, 1, 13

    fields = fields_of(data(0x81, bytes(header) + b"\1\2\3\4" + bytes(16)))

    assert fields["ei.control.service"] == "16"
    assert fields["ei.control.sequence"] == "2"
    assert fields["ei.control.acknowledged"] == "1"
    assert "ei.metadata" not in fields


def test_a_comment_of_the_tap_gives_fate_and_reason() -> None:
    fields = fields_of(b"\x14", comment="fate=dropped reason=truncated")

    assert fields["ei.fate"] == "dropped"
    assert fields["ei.drop_reason"] == "truncated"


def test_what_cannot_be_read_is_named_as_a_datapath_would_count_it() -> None:
    def malformed(datagram: bytes) -> str:
        return fields_of(datagram)["ei.malformed"]

    assert malformed(b"\x24") == "unknown_version"
    assert malformed(b"\x15") == "unknown_type"
    assert malformed(data(0x02, HEADER + bytes(16))) == "unknown_flags"
    assert malformed(data(0x00, HEADER + bytes(16))[:-1]) == "truncated"
    assert malformed(data(0x01, HEADER + bytes(16), b"\1")) == "trailing_bytes"
    assert malformed(data(0x80, HEADER + bytes(16), b"\1\2\3")) == "truncated"
    between_hosts = HEADER[:19] + b"\1" + HEADER[20:]
    assert malformed(data(0x80, between_hosts + bytes(16), b"\1\2\3\4")) == "bad_end_to_end"
    assert malformed(b"\x11" + bytes(100)) == "unpadded_initiation"
    assert malformed(b"\x13\0\0\1" + bytes(52)) == "unknown_flags"


@given(st.binary(max_size=1_500))
def test_any_bytes_are_taken(datagram: bytes) -> None:
    names = [field.name for field in dissect(datagram)]

    assert names[-1] == "ei.malformed" or is_ours(datagram, (0, 0))


def test_strangers_on_other_ports_are_left_alone() -> None:
    assert is_ours(b"?", (PORT, 9))
    assert not is_ours(b"GET / HTTP/1.1\r\n" * 10, (80, 9))
    assert not is_ours(b"", (PORT, 9))
    assert is_ours(data(0, bytes(16)), (40_000, 9))


def test_handshake_datagrams_are_named_field_by_field() -> None:
    message = b"hands" * 10
    initiation = b"\x11\1\x32\0" + b"\1\2\3\4" + b"\1\0\0\0" + message
    initiation += bytes(1_200 - 32 - len(initiation)) + b"\5" * 16 + b"\6" * 16
    response = b"\x12\1\x32\0" + b"\1\2\3\4" + b"\5\6\7\x08" + message + b"\x09" * 16
    cookie = b"\x13\0\0\0" + b"\1\2\3\4" + bytes(48)

    assert fields_of(initiation)["ei.handshake"] == message.hex(":")
    assert fields_of(initiation)["ei.mac2"] == ":".join(["06"] * 16)
    assert fields_of(response)["ei.receiver_index"] == "0x08070605"
    assert fields_of(response)["ei.mac1"] == ":".join(["09"] * 16)
    assert fields_of(cookie)["ei.cookie.nonce"] == ":".join(["00"] * 16)
    for datagram in (initiation, response, cookie):
        assert is_ours(datagram, (0, 0))


def test_a_handshake_message_longer_than_its_datagram_is_truncated() -> None:
    response = b"\x12\1\xff\0" + bytes(8) + b"abc" + bytes(16)
    initiation = b"\x11\1\xff\xff" + bytes(1_196)

    assert fields_of(response)["ei.malformed"] == "truncated"
    assert fields_of(initiation)["ei.malformed"] == "truncated"


def test_a_header_that_makes_no_sense_is_malformed_by_its_reason() -> None:
    def malformed(position: int, value: int) -> str:
        header = bytearray(HEADER)
        header[position] = value
        return fields_of(data(0x80, bytes(header) + bytes(16), bytes(4)))["ei.malformed"]

    assert malformed(0, 0x23) == "unknown_version"
    assert malformed(0, 0x17) == "unknown_flags"
    assert malformed(18, 255) == "bad_header"
    assert malformed(19, 5) == "bad_header"
    assert fields_of(data(0x80, bytes(16)))["ei.malformed"] == "bad_header"
