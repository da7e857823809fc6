"""Writing capture files: what a tap in a lab saw, with the fate of each datagram as a comment."""

from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from dpkt import ip, ip6, pcapng, udp

UDP_PROTOCOL = 17
LINK_RAW = 101
"""Link type without a link header: IP of both versions."""
LENGTH_BYTES = 65_535
"""Longest packet that a capture holds, and that IP can say."""


class CaptureWriter:
    """A pcapng file of UDP datagrams. Datagrams that exceed an IP packet are cut.

    Args:
        path: Overwritten.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        _ = self._file.write(bytes(pcapng.SectionHeaderBlockLE()))
        described = pcapng.InterfaceDescriptionBlockLE(snaplen=LENGTH_BYTES, linktype=LINK_RAW)
        _ = self._file.write(bytes(described))

    def write(  # noqa: PLR0913 all that is known of a datagram
        self,
        *,
        unix_s: float,
        source: str,
        destination: str,
        datagram: bytes,
        fate: str = "",
        reason: str = "",
    ) -> None:
        """Append one datagram.

        Args:
            unix_s: When it was seen; virtual time in a simulation.
            source, destination: Endpoints, such as "127.0.0.1:3535" or "[::1]:3535".
            fate: What became of it, such as `dropped`; empty when not known.
            reason: Why it was dropped.
        """
        words = [f"fate={fate}"] * bool(fate) + [f"reason={reason}"] * bool(reason)
        options: list[pcapng.PcapngOption] = []
        if words:
            comment = " ".join(words).encode()
            options = [
                pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_COMMENT, data=comment),
                pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_ENDOFOPT, len=0, data=b""),
            ]
        microseconds = round(unix_s * 1e6)
        block = pcapng.EnhancedPacketBlockLE(
            ts_high=microseconds >> 32,
            ts_low=microseconds & 0xFFFFFFFF,
            pkt_data=_packet(source, destination, datagram),
        )
        block.opts = options
        _ = self._file.write(bytes(block))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _packet(source: str, destination: str, datagram: bytes) -> bytes:
    source_host, source_port = _split(source)
    host, port = _split(destination)
    is_6 = len(host) == 16  # noqa: PLR2004 bytes of an IPv6 address
    datagram = datagram[: LENGTH_BYTES - (8 if is_6 else 28)]
    inner = udp.UDP(sport=source_port, dport=port, ulen=8 + len(datagram), data=datagram)
    packet: ip.IP | ip6.IP6
    if is_6:
        packet = ip6.IP6(src=source_host, dst=host, nxt=UDP_PROTOCOL, hlim=64, plen=len(inner))
    else:
        packet = ip.IP(src=source_host, dst=host, p=UDP_PROTOCOL, ttl=64, len=20 + len(inner))
    packet.data = inner
    return bytes(packet)


def _split(endpoint: str) -> tuple[bytes, int]:
    host, _, port = endpoint.rpartition(":")
    return ip_address(host.strip("[]")).packed, int(port)
