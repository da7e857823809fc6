"""Packets as dpkt, a foreign library, writes and reads them."""

import socket

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.ip_packets import (
    MAX_UDP_BYTES,
    Datagram,
    Echo,
    read_packet,
    write_datagram,
    write_reply,
    write_unreachable,
)

PAIRS = (("198.19.0.1", "192.0.2.7"), ("fd35:0:1::1", "fd35:0:2::7"))


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def foreign(source: str, to: str, protocol: int, body: bytes) -> bytes:
    """Return a packet that dpkt wrote."""
    if ":" in to:
        packet = dpkt.ip6.IP6(
            src=packed(source),
            dst=packed(to),
            nxt=protocol,
            hlim=64,
            plen=len(body),
            v=6,
            data=body,
        )
    else:
        packet = dpkt.ip.IP(src=packed(source), dst=packed(to), p=protocol, data=body)
        packet.len = len(packet)
    return bytes(packet)


@pytest.mark.parametrize("pair", PAIRS, ids=("ipv4", "ipv6"))
def test_a_datagram_is_read_as_it_was_written_by_others(pair: tuple[str, str]) -> None:
    source, to = pair
    body = bytes(dpkt.udp.UDP(sport=4_000, dport=53, ulen=8 + 5, data=b"hello"))

    assert read_packet(foreign(source, to, 17, body)) == Datagram(
        (source, 4_000), (to, 53), b"hello"
    )


@pytest.mark.parametrize("pair", PAIRS, ids=("ipv4", "ipv6"))
@pytest.mark.parametrize("length", [0, 1, 1_000, MAX_UDP_BYTES])
def test_a_datagram_of_ours_has_right_checksums_for_others(
    pair: tuple[str, str], length: int
) -> None:
    source, to = pair
    wire = write_datagram(Datagram((source, 53), (to, 4_000), bytes([7]) * length))

    packet = dpkt.ip6.IP6(wire) if ":" in to else dpkt.ip.IP(wire)
    udp = packet.data
    assert isinstance(udp, dpkt.udp.UDP)
    assert (udp.sport, udp.dport, bytes(udp.data)) == (53, 4_000, bytes([7]) * length)
    written = udp.sum
    udp.sum = 0
    if ":" not in to:
        header = packet.sum
        packet.sum = 0
        assert bytes(packet)[10:12] == header.to_bytes(2, "big")
    packet.data.sum = 0
    again = dpkt.ip6.IP6(bytes(packet)) if ":" in to else dpkt.ip.IP(bytes(packet))
    assert again.data.sum in {0, written}
    assert verified(source, to, 17, wire[40 if ":" in to else 20 :])


def verified(source: str, to: str, protocol: int, body: bytes) -> bool:
    """Whether the sum over a body with its pseudo header comes out as it must (RFC 1071)."""
    if protocol == 1:
        summed = body
    else:
        length = len(body).to_bytes(4, "big")
        summed = packed(source) + packed(to) + length + protocol.to_bytes(4, "big") + body
    summed += b"\0" * (len(summed) % 2)
    total = sum(int.from_bytes(summed[at : at + 2], "big") for at in range(0, len(summed), 2))
    return total % 0xFFFF == 0


@pytest.mark.parametrize("pair", PAIRS, ids=("ipv4", "ipv6"))
def test_an_echo_is_answered_with_what_it_asked(pair: tuple[str, str]) -> None:
    source, to = pair
    is_6 = ":" in to
    body = bytes([128 if is_6 else 8, 0, 0, 0, 0x12, 0x34, 0, 9]) + b"data"

    echo = read_packet(foreign(source, to, 58 if is_6 else 1, body))
    assert echo == Echo(source, to, 0x1234_0009, b"data")
    reply = write_reply(echo)

    rest = reply[40 if is_6 else 20 :]
    assert rest[0] == (129 if is_6 else 0)
    assert rest[4:] == body[4:]
    assert verified(to, source, 58 if is_6 else 1, rest)


@pytest.mark.parametrize("pair", PAIRS, ids=("ipv4", "ipv6"))
def test_a_packet_without_a_way_is_answered_with_its_beginning(pair: tuple[str, str]) -> None:
    source, to = pair
    packet = write_datagram(Datagram((source, 4_000), (to, 9), b"x" * 2_000))

    answer = write_unreachable(packet)

    is_6 = ":" in to
    rest = answer[40 if is_6 else 20 :]
    assert tuple(rest[:2]) == ((1, 4) if is_6 else (3, 3))
    assert packet.startswith(rest[8:])
    assert verified(to, source, 58 if is_6 else 1, rest)


def test_what_is_neither_datagram_nor_echo_is_nothing() -> None:
    source, to = PAIRS[0]
    fragment = bytearray(write_datagram(Datagram((source, 1), (to, 2), b"x")))
    fragment[6] = 0x20
    for packet in (b"", b"\x45", b"\x60" * 39, bytes(fragment), foreign(source, to, 6, b"x" * 20)):
        assert read_packet(packet) is None
    assert write_unreachable(b"") == b""


@given(st.binary(max_size=200))
def test_no_bytes_break_it(packet: bytes) -> None:
    _ = read_packet(packet)
    _ = write_unreachable(packet)
