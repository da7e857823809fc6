"""IP packets of a program in a namespace: UDP and echoes, read and written; pure.

Only packets without extension headers or fragments come from there: its device takes 65,535 bytes.
Checksums of what is read are not looked at, since it never left this machine.

Source: RFC 791, 792 (IPv4, ICMP), 8200, 4443 (IPv6, ICMPv6), 768 (UDP).
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

Place = tuple[str, int]
"""Address and port."""

VERSION_4 = 4
VERSION_6 = 6
ICMP, UDP, ICMP_6 = 1, 17, 58
HEADER_4 = struct.Struct("!BBHHHBBH4s4s")
HEADER_6 = struct.Struct("!IHBB16s16s")
HEADER_UDP = struct.Struct("!HHHH")
HEADER_ECHO = struct.Struct("!BBHHH")
ECHO_4, ECHO_REPLY_4, UNREACHABLE_4 = 8, 0, (3, 3)
ECHO_6, ECHO_REPLY_6, UNREACHABLE_6 = 128, 129, (1, 4)
HOPS = 64
QUOTED_BYTES = 512
MAX_UDP_BYTES = 65_535 - 48


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram."""

    source: Place
    to: Place
    data: bytes


@dataclass(frozen=True, slots=True)
class Echo:
    """A request for an echo; `number` is identifier and sequence."""

    source: str
    to: str
    number: int
    data: bytes


def read_packet(packet: bytes) -> Datagram | Echo | None:
    """Return what an IP packet carries; `None` for anything but UDP and requests for an echo."""
    found = _split(packet)
    if found is None:
        return None
    protocol, source, to, body = found
    if protocol == UDP and len(body) >= HEADER_UDP.size:
        source_port, port, length, _ = HEADER_UDP.unpack_from(body)
        data = body[HEADER_UDP.size : max(length, HEADER_UDP.size)]
        return Datagram((source, source_port), (to, port), data)
    if protocol in {ICMP, ICMP_6} and len(body) >= HEADER_ECHO.size:
        kind, _, _, identifier, sequence = HEADER_ECHO.unpack_from(body)
        if kind == (ECHO_4 if protocol == ICMP else ECHO_6):
            number = identifier << 16 | sequence
            return Echo(source, to, number, body[HEADER_ECHO.size :])
    return None


def write_datagram(datagram: Datagram) -> bytes:
    """Return the IP packet of a datagram, which has at most `MAX_UDP_BYTES`."""
    (source, source_port), (to, port) = datagram.source, datagram.to
    length = HEADER_UDP.size + len(datagram.data)
    empty = HEADER_UDP.pack(source_port, port, length, 0) + datagram.data
    # A sum of zero would say that there is none.
    checksum = _sum(_pseudo(source, to, UDP, length) + empty) or 0xFFFF
    body = HEADER_UDP.pack(source_port, port, length, checksum) + datagram.data
    return _packet(source, to, UDP, body)


def write_reply(echo: Echo) -> bytes:
    """Return the IP packet that answers a request for an echo."""
    is_6 = ":" in echo.to
    kind = ECHO_REPLY_6 if is_6 else ECHO_REPLY_4
    rest = HEADER_ECHO.pack(kind, 0, 0, echo.number >> 16, echo.number & 0xFFFF) + echo.data
    return _icmp(echo.to, echo.source, rest, is_6=is_6)


def write_unreachable(packet: bytes) -> bytes:
    """Return the ICMP packet that says of a whole IP packet that nobody is at its port.

    A program that waits for an answer learns at once that none will come.
    """
    found = _split(packet)
    if found is None:
        return b""
    _, source, to, _ = found
    is_6 = ":" in to
    kind, code = UNREACHABLE_6 if is_6 else UNREACHABLE_4
    rest = HEADER_ECHO.pack(kind, code, 0, 0, 0) + packet[:QUOTED_BYTES]
    return _icmp(to, source, rest, is_6=is_6)


def _split(packet: bytes) -> tuple[int, str, str, bytes] | None:
    """Return protocol, source, destination and body."""
    version = packet[0] >> 4 if packet else 0
    if version == VERSION_4 and len(packet) >= HEADER_4.size:
        first, _, length, _, fragment, _, protocol, _, source, to = HEADER_4.unpack_from(packet)
        start = (first & 0xF) * 4
        if start < HEADER_4.size or fragment & 0x3FFF:
            return None
        return protocol, str(IPv4Address(source)), str(IPv4Address(to)), packet[start:length]
    if version == VERSION_6 and len(packet) >= HEADER_6.size:
        _, length, protocol, _, source, to = HEADER_6.unpack_from(packet)
        body = packet[HEADER_6.size : HEADER_6.size + length]
        return protocol, str(IPv6Address(source)), str(IPv6Address(to)), body
    return None


def _icmp(source: str, to: str, rest: bytes, *, is_6: bool) -> bytes:
    protocol = ICMP_6 if is_6 else ICMP
    summed = _pseudo(source, to, protocol, len(rest)) + rest if is_6 else rest
    return _packet(source, to, protocol, rest[:2] + _sum(summed).to_bytes(2, "big") + rest[4:])


def _packet(source: str, to: str, protocol: int, body: bytes) -> bytes:
    ends = ip_address(source).packed, ip_address(to).packed
    if ":" in to:
        return HEADER_6.pack(VERSION_6 << 28, len(body), protocol, HOPS, *ends) + body
    first = VERSION_4 << 4 | HEADER_4.size // 4
    length = HEADER_4.size + len(body)
    empty = HEADER_4.pack(first, 0, length, 0, 0, HOPS, protocol, 0, *ends)
    return empty[:10] + _sum(empty).to_bytes(2, "big") + empty[12:] + body


def _pseudo(source: str, to: str, protocol: int, length: int) -> bytes:
    ends = ip_address(source).packed + ip_address(to).packed
    if ":" in to:
        return ends + struct.pack("!II", length, protocol)
    return ends + struct.pack("!BBH", 0, protocol, length)


def _sum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
