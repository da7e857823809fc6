"""Reading capture files: the UDP datagrams in a pcapng file, with comments, or in a pcap file."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO

import dpkt
from dpkt import ethernet, ip, ip6, loopback, pcap, pcapng, sll, sll2, udp

from ei.errors import PeerError

MAX_BLOCK_BYTES = 16 * 1024 * 1024
"""Wireshark refuses blocks beyond this too: a longer one is a broken file."""

LINKS: dict[int, type[dpkt.Packet]] = {
    0: loopback.Loopback,
    1: ethernet.Ethernet,
    113: sll.SLL,
    276: sll2.SLL2,
}
"""Link type to what parses it: BSD loopback, Ethernet, Linux "any" in its two versions."""
RAW_LINKS = {101, 228, 229}
"""Link types without a link header: IP of both versions, IPv4, IPv6."""

BROKEN = (dpkt.Error, ValueError, IndexError, TypeError, AttributeError, struct.error)
"""What dpkt raises on bytes that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Captured:
    """One UDP datagram of a capture file.

    Attributes:
        number: Of its packet in the file, from 1; packets that are not UDP count too.
        unix_s: When it was captured.
        source, destination: Endpoints, such as "127.0.0.1:3535" or "[::1]:3535".
        ports: Their ports.
        comment: The packet's comment; empty when it has none.
    """

    number: int
    unix_s: float
    source: str
    destination: str
    ports: tuple[int, int]
    datagram: bytes
    comment: str


def read_capture(path: Path) -> Iterator[Captured]:
    """Yield the UDP datagrams of a capture file, in its order.

    Raises:
        OSError: the file cannot be read.
        PeerError: it is no capture file, or breaks off. What came before was yielded.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        _ = file.seek(0)
        packets = _pcapng(file) if magic == b"\x0a\x0d\x0d\x0a" else _pcap(file)
        try:
            for number, (unix_s, link, packet, comment) in enumerate(packets, 1):
                if (found := _datagram(link, packet)) is None:
                    continue
                source, destination, ports, datagram = found
                yield Captured(number, unix_s, source, destination, ports, datagram, comment)
        except BROKEN as error:
            raise PeerError(f"{path} is no pcapng or pcap file, or is damaged: {error}") from error


def _pcap(file: BinaryIO) -> Iterator[tuple[float, int, bytes, str]]:
    reader = pcap.Reader(file)
    for unix_s, packet in reader:
        yield float(unix_s), reader.datalink(), packet, ""


def _pcapng(file: BinaryIO) -> Iterator[tuple[float, int, bytes, str]]:
    interfaces: list[tuple[int, float]] = []
    order = "<"
    while head := file.read(8):
        if head[:4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if file.read(4) == b"\x4d\x3c\x2b\x1a" else ">"
            _ = file.seek(-4, 1)
            interfaces = []
        kind, size = struct.unpack(f"{order}II", head)
        if not 12 <= size <= MAX_BLOCK_BYTES:  # noqa: PLR2004 the smallest block there can be
            raise ValueError(f"a block of {size} B; 12 to {MAX_BLOCK_BYTES} are possible")
        block = head + file.read(size - 8)
        if len(block) < size:
            raise ValueError("it breaks off within a block")
        if kind == pcapng.PCAPNG_BT_IDB:
            interfaces.append(_interface(block, order))
        elif kind == pcapng.PCAPNG_BT_EPB:
            yield _packet(block, order, interfaces)


def _interface(block: bytes, order: str) -> tuple[int, float]:
    """Return link type and seconds per tick of an interface description."""
    parse = pcapng.InterfaceDescriptionBlockLE if order == "<" else pcapng.InterfaceDescriptionBlock
    described = parse(block)
    tick_s = 1e-6
    for option in described.opts:
        if option.code == pcapng.PCAPNG_OPT_IF_TSRESOL:
            exponent = option.data[0] & 0x7F
            tick_s = 2.0**-exponent if option.data[0] & 0x80 else 10.0**-exponent
    return described.linktype, tick_s


def _packet(
    block: bytes, order: str, interfaces: list[tuple[int, float]]
) -> tuple[float, int, bytes, str]:
    parse = pcapng.EnhancedPacketBlockLE if order == "<" else pcapng.EnhancedPacketBlock
    packet = parse(block)
    link, tick_s = interfaces[packet.iface_id]
    comments = [
        option.data.decode(errors="replace")
        for option in packet.opts
        if option.code == pcapng.PCAPNG_OPT_COMMENT
    ]
    ticks = packet.ts_high << 32 | packet.ts_low
    return ticks * tick_s, link, packet.pkt_data, " ".join(comments)


def _datagram(link: int, packet: bytes) -> tuple[str, str, tuple[int, int], bytes] | None:
    """Return endpoints and payload of a UDP packet; `None` for any other, even a broken one."""
    try:
        network = _network(link, packet)
    except BROKEN:
        return None
    if not isinstance(network, ip.IP | ip6.IP6) or not isinstance(network.data, udp.UDP):
        return None
    inner = network.data
    payload = inner.data[: max(0, inner.ulen - 8)]
    ports = (inner.sport, inner.dport)
    return _endpoint(network.src, inner.sport), _endpoint(network.dst, inner.dport), ports, payload


def _network(link: int, packet: bytes) -> bytes | dpkt.Packet:
    if (parse := LINKS.get(link)) is not None:
        return parse(packet).data
    if link in RAW_LINKS:
        return ip6.IP6(packet) if packet[0] >> 4 == 6 else ip.IP(packet)  # noqa: PLR2004 version 6
    return b""


def _endpoint(address: bytes, port: int) -> str:
    host = ip_address(address)
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"  # noqa: PLR2004
