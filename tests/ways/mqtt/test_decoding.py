"""Packets of MQTT are read as they were written; whatever else comes is malformed, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ways.mqtt.some import packets

from ei.ways.mqtt.decoding import MAX_FILTERS, decode
from ei.ways.mqtt.encoding import encode
from ei.ways.mqtt.packets import V3, V5, Connack, Connect, Packet, Publish, Subscribe, Wanted, Will
from ei.ways.mqtt.properties import Properties
from ei.ways.mqtt.reasons import MqttError, Reason

VERSIONS = st.sampled_from([V3, V5])


def read(data: bytes, version: int) -> Packet:
    """Decode one packet with its head; its length is in one or more bytes."""
    at = 2
    while data[at - 1] & 0x80:
        at += 1
    return decode(data[0], data[at:], version=version)


def read_or_refuse(first: int, body: bytes, version: int) -> Packet | None:
    """Decode a packet; nothing but `MqttError` may come of one that is none."""
    try:
        return decode(first, body, version=version)
    except MqttError:
        return None


@pytest.mark.slow
@given(VERSIONS.flatmap(lambda version: st.tuples(st.just(version), packets(version))))
def test_what_is_written_is_read(case: tuple[int, Packet]) -> None:
    version, packet = case

    assert read(encode(packet, version=version), version) == packet


@pytest.mark.slow
@given(
    VERSIONS.flatmap(lambda version: st.tuples(st.just(version), packets(version))),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=5),
    st.integers(-5, 5),
)
def test_a_mutilated_packet_is_read_or_malformed(
    case: tuple[int, Packet], changes: list[tuple[int, int]], longer: int
) -> None:
    version, packet = case
    data = bytearray(encode(packet, version=version))
    for at, value in changes:
        data[at % len(data)] = value
    body = bytes(data[2:]) + bytes(max(0, longer)) if longer >= 0 else bytes(data[2:longer])

    found = read_or_refuse(data[0], body, version)

    if found is not None:
        assert read(encode(found, version=version), version) == found or isinstance(found, Connect)


@given(st.integers(0, 255), st.binary(max_size=200), VERSIONS)
def test_any_bytes_are_read_or_malformed(first: int, body: bytes, version: int) -> None:
    _ = read_or_refuse(first, body, version)


TEN = Properties(receive_maximum=10)
GOLDEN: list[tuple[str, int, Packet]] = [
    # MQTT 5, 3.1: name, level, flags, keep alive, no properties, client identifier.
    ("100f 0004 4d515454 05 02 003c 00 0002 6162", V5, Connect("ab", V5, keep_alive_s=60)),
    (
        "101c 0004 4d515454 04 ec 000a 0001 61 0001 77 0002 6869 0001 75 0003 707764",
        V3,
        Connect(
            "a", V3, is_clean=False, keep_alive_s=10, will=Will("w", b"hi", 1, is_retained=True),
            user="u", password=b"pwd",
        ),
    ),
    # Its figure 3-9: topic a/b, packet identifier 10.
    ("3207 0003 612f62 000a", V3, Publish("a/b", b"", 1, number=10)),
    ("3209 0003 612f62 000a 00 78", V5, Publish("a/b", b"x", 1, number=10)),
    # Its figure 3-21: filters a/b with 1 and c/d with 2.
    (
        "820e 000a 0003 612f62 01 0003 632f64 02",
        V3,
        Subscribe(10, (Wanted("a/b", 1), Wanted("c/d", 2))),
    ),
    ("2006 01 00 03 21 000a", V5, Connack(is_present=True, properties=TEN)),
    ("2002 00 03", V3, Connack(Reason.UNAVAILABLE)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "version", "packet"), GOLDEN, ids=lambda value: str(value)[:30])
def test_bytes_of_the_standard(text: str, version: int, packet: Packet) -> None:
    data = bytes.fromhex(text)

    assert read(data, version) == packet
    assert encode(packet, version=version) == data


@pytest.mark.parametrize(
    ("text", "version", "reason", "said"),
    [
        ("0000", V5, Reason.MALFORMED, "packet type 0"),
        ("3600 0001 61 0001", V5, Reason.MALFORMED, "QoS 3"),
        ("3800 0001 61 00", V5, Reason.MALFORMED, "repeated"),
        ("3200 0001 61 0000 00", V5, Reason.PROTOCOL_ERROR, "identifier 0"),
        ("8000 000a", V5, Reason.MALFORMED, "flags 0x0, 0x2 allowed"),
        ("8200 000a 00", V5, Reason.MALFORMED, "2 bytes wanted"),
        ("8200 000a 00 0001 61 c0", V5, Reason.MALFORMED, "options 0xc0"),
        ("8200 000a 0001 61 04", V3, Reason.MALFORMED, "options 0x04"),
        ("1000 0004 4d515454 03 02 0000 0000", V3, Reason.UNSUPPORTED_VERSION, "level 3"),
        ("1000 0006 4d514973647003 02", V3, Reason.UNSUPPORTED_VERSION, "MQIsdp"),
        ("1000 0004 4d515454 04 03 0000 0000", V3, Reason.MALFORMED, "flags 0x03"),
        ("1000 0004 4d515454 04 42 0000 0000", V3, Reason.MALFORMED, "flags 0x42"),
        ("1000 0004 4d515454 04 0a 0000 0000", V3, Reason.MALFORMED, "has none"),
        ("3000 0002 c328", V3, Reason.MALFORMED, "no UTF-8"),
        ("3000 0002 6100", V3, Reason.MALFORMED, r"U\+0000"),
        ("3000 0001 61 02 2300", V5, Reason.MALFORMED, "bytes wanted"),
        ("3000 0001 61 03 23 0000", V5, Reason.PROTOCOL_ERROR, "alias is 0"),
        ("3000 0001 61 04 01 00 01 00", V5, Reason.PROTOCOL_ERROR, "there twice"),
        ("3000 0001 61 02 01 02", V5, Reason.PROTOCOL_ERROR, "0 or 1 allowed"),
        ("3000 0001 61 02 24 01", V5, Reason.MALFORMED, "0x24 is none of PUBLISH"),
        ("3000 0001 61 02 7f 01", V5, Reason.MALFORMED, "0x7f is none"),
        ("8200 000a 04 0b 01 0b 02 0001 61 00", V5, Reason.PROTOCOL_ERROR, "more than 1"),
        ("f000", V3, Reason.PROTOCOL_ERROR, "AUTH"),
        ("c000 00", V5, Reason.MALFORMED, "too many"),
    ],
)
def test_what_the_standard_forbids(text: str, version: int, reason: Reason, said: str) -> None:
    data = bytes.fromhex(text)

    with pytest.raises(MqttError, match=said) as caught:
        _ = decode(data[0], data[2:], version=version)

    assert caught.value.reason is reason


def test_filters_of_a_packet_are_bounded() -> None:
    packet = Subscribe(1, tuple(Wanted("a") for _ in range(MAX_FILTERS + 1)))

    with pytest.raises(MqttError, match="more than 128 filters"):
        _ = read(encode(packet, version=V5), V5)
