"""Capture files: pcapng of UDP in IPv4 or IPv6, for Wireshark and `ei decode`.

A simulation knows what the datapaths opened, and may write it: a frame whose outer prefix has the
flag `OPENED` carries the header in plaintext and a tag of zeros, where the wire has both sealed.
The flag is refused on the wire.
"""

import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass

LINKTYPE_RAW = 101
OPENED = 0x80
PREFIX_BYTES = 16
TAG_BYTES = 16
DATA = 0x14
"""Type byte of a data datagram: wire version 1, type 4."""

FATES = frozenset({"forwarded", "delivered", "consumed", "missed"})
"""All fates but a drop, for which `Datapath.handle` returns the reason."""

_LOG_ENTRY = struct.Struct("<QIBH")
_UDP = 17


class Capture:
    """Writes a pcapng file.

    Args:
        write: Takes bytes; such as the `write` of a file.
        program: Who captured.
        unix_offset_ns: Wall clock minus the time that `frame` is given.
    """

    def __init__(
        self, write: Callable[[bytes], object], *, program: str, unix_offset_ns: int = 0
    ) -> None:
        self._write = write
        self._unix_offset_ns = unix_offset_ns
        self.frames = 0
        # Section header (byte order, version 1.0, unknown length), then one interface whose time
        # stamps are nanoseconds (option 9 = 9).
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, program.encode())
        interface = struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + _option(9, b"\x09")
        _ = write(_block(0x0A0D0D0A, section + _option(0, b"")))
        _ = write(_block(1, interface + _option(0, b"")))

    def frame(
        self, now_ns: int, source: str, to: str, datagram: bytes, *, comment: str = ""
    ) -> None:
        """Write one UDP datagram between two endpoints such as `10.0.0.1:3535`."""
        packet = udp_packet(source, to, datagram)
        stamp = now_ns + self._unix_offset_ns
        body = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
        body += packet + bytes(-len(packet) % 4)
        if comment:
            body += _option(1, comment.encode()) + _option(0, b"")
        _ = self._write(_block(6, body))
        self.frames += 1


@dataclass(frozen=True, slots=True)
class LoggedHeader:
    """One entry of a datapath's log; `header` is empty where none was opened."""

    now_ns: int
    length: int
    fate: int
    header: bytes


def read_log(log: bytes) -> list[LoggedHeader]:
    """Return the entries of `Datapath.take_log()`."""
    entries: list[LoggedHeader] = []
    offset = 0
    while offset < len(log):
        now_ns, length, fate, header_bytes = _LOG_ENTRY.unpack_from(log, offset)
        offset += _LOG_ENTRY.size + header_bytes
        entries.append(LoggedHeader(now_ns, length, fate, log[offset - header_bytes : offset]))
    return entries


def opened_form(datagram: bytes, header: bytes) -> bytes:
    """Return a data datagram with its header in plaintext, marked `OPENED`.

    A payload inside the seal comes as zeros of its length; one outside is as it was. What is not a
    data datagram, or does not fit `header`, is returned unchanged.
    """
    sealed_bytes = int.from_bytes(datagram[2:4], "little")
    inner_bytes = sealed_bytes - TAG_BYTES - len(header)
    is_data = len(datagram) >= PREFIX_BYTES + sealed_bytes and datagram[:1] == bytes([DATA])
    if not is_data or not header or inner_bytes < 0:
        return datagram
    prefix = bytes([datagram[0], datagram[1] | OPENED]) + datagram[2:PREFIX_BYTES]
    sealed = header + bytes(inner_bytes) + bytes(TAG_BYTES)
    return prefix + sealed + datagram[PREFIX_BYTES + sealed_bytes :]


def fate_comment(fate: str) -> str:
    """Return the comment of a frame for the word of a fate or reason, as the dissectors read it."""
    return f"fate={fate}" if fate in FATES else f"fate=dropped reason={fate}"


def udp_packet(source: str, to: str, datagram: bytes) -> bytes:
    """Return an IP packet with `datagram` in UDP, checksums included."""
    source_ip, source_port = _parse(source)
    to_ip, to_port = _parse(to)
    length = 8 + len(datagram)
    udp = struct.pack("!HHHH", source_port, to_port, length & 0xFFFF, 0) + datagram
    pseudo = source_ip.packed + to_ip.packed + struct.pack("!IHBB", length, 0, 0, _UDP)
    checksum = _checksum(pseudo + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", checksum) + udp[8:]
    if source_ip.version == 6:  # noqa: PLR2004 IPv6
        head = struct.pack("!IHBB", 6 << 28, length & 0xFFFF, _UDP, 64)
        return head + source_ip.packed + to_ip.packed + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, (20 + length) & 0xFFFF, 0, 0x4000, 64, _UDP, 0)
    head += source_ip.packed + to_ip.packed
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + udp


def _parse(endpoint: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    host, _, port = endpoint.rpartition(":")
    return ipaddress.ip_address(host.strip("[]")), int(port)


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length
