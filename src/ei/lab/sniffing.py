"""Listens on links of a lab of real nodes, as somebody on them would: whole IP packets, to a file.

A packet socket of Linux in the network namespace of one end; root may have one.
"""

import contextlib
import ctypes
import ipaddress
import socket
import struct
import threading
from collections.abc import Callable, Collection
from contextlib import nullcontext
from pathlib import Path

from ei.errors import DeniedError
from ei.lab.namespaces import inside

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
BUFFER_BYTES = 64 * 1024 * 1024
MAX_PACKET_BYTES = 65_535
MAX_FILE_BYTES = 256 * 1024 * 1024
POLL_S = 0.05
LINKTYPE_RAW = 101
TRANSPORTS = (6, 17)
"""TCP and UDP, whose headers begin with the ports."""
IPV4_HEADER_BYTES = 20

Flow = tuple[str, int, str, int]
"""Source and its port, destination and its port; ports are 0 where there are none."""


class Sniffer:
    """Writes what goes by a link into a file, as pcap; with the addresses in plain words beside it.

    Args:
        path: Of the file, made anew.
        is_on_link: Whether a packet of this flow goes by the link.
        addresses: IPv4 addresses of which such a packet has one; the kernel passes on no others.
        namespace: Path of the network namespace to listen in, if not this one.
        device: To listen on.

    Raises:
        DeniedError: this user may not listen.

    Attributes:
        flows: Those that were seen.
        packets: How many were written.
    """

    def __init__(
        self,
        path: Path,
        is_on_link: Callable[[Flow], bool],
        *,
        addresses: Collection[str],
        namespace: str | None = None,
        device: str = "lo",
    ) -> None:
        self._is_on_link = is_on_link
        self._is_over = False
        self._lost = 0
        self.flows: set[Flow] = set()
        self.packets = 0
        try:
            with nullcontext() if namespace is None else inside(namespace):
                self._socket = _listen(device, addresses)
        except PermissionError as error:
            raise DeniedError(
                "listening on links needs CAP_NET_RAW", remedy="Run it as root."
            ) from error
        self._file = path.open("wb", buffering=0)
        _ = self._file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, LINKTYPE_RAW))
        self._thread = threading.Thread(target=self._listen, name="ei-sniffer", daemon=True)
        self._thread.start()

    def lost(self) -> int:
        """Return how many packets were lost for want of room."""
        if not self._is_over:
            counted = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            self._lost += struct.unpack("=II", counted)[1]  # the kernel begins anew with each look
        return self._lost

    def stop(self) -> None:
        """Listen no more. Idempotent."""
        if not self._is_over:
            _ = self.lost()
            self._is_over = True
            self._thread.join()
            self._socket.close()
            self._file.close()

    def _listen(self) -> None:
        while not self._is_over:
            with contextlib.suppress(TimeoutError):
                packet = self._socket.recv(MAX_PACKET_BYTES)
                flow = flow_of(packet)
                if flow is not None and self._is_on_link(flow):
                    self._write(packet, flow)

    def _write(self, packet: bytes, flow: Flow) -> None:
        self.flows.add(flow)
        if self._file.tell() + len(packet) > MAX_FILE_BYTES:
            self._lost += 1
            return
        self.packets += 1
        _ = self._file.write(struct.pack("=IIII", 0, 0, len(packet), len(packet)) + packet)


def flow_of(packet: bytes) -> Flow | None:
    """Return between whom an IPv4 packet goes; `None` when it is none."""
    if len(packet) < IPV4_HEADER_BYTES or packet[0] >> 4 != 4:  # noqa: PLR2004 IPv4
        return None
    source, to = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    head = (packet[0] & 15) * 4
    is_first = int.from_bytes(packet[6:8], "big") & 0x1FFF == 0
    if packet[9] not in TRANSPORTS or not is_first or len(packet) < head + 4:
        return source, 0, to, 0
    from_port, to_port = struct.unpack_from("!HH", packet, head)
    return source, from_port, to, to_port


def filter_of(addresses: Collection[str]) -> bytes:
    """Return the program of the kernel's filter that takes packets from or to these addresses.

    u16 code | u8 to skip if equal | u8 to skip else | u32 operand       (linux/filter.h)
    """
    numbers = [int(ipaddress.IPv4Address(address)) for address in sorted(addresses)]
    steps: list[bytes] = []
    last = 2 * (len(numbers) + 1)
    for at in (12, 16):  # source, destination
        steps.append(struct.pack("=HBBI", LOAD_WORD, 0, 0, at))
        for number in numbers:
            steps.append(struct.pack("=HBBI", JUMP_IF_EQUAL, last - len(steps), 0, number))
    nothing, whole = (struct.pack("=HBBI", RETURN, 0, 0, size) for size in (0, MAX_PACKET_BYTES))
    return b"".join((*steps, nothing, whole))


def _listen(device: str, addresses: Collection[str]) -> socket.socket:
    listening = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    try:
        listening.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        program = filter_of(addresses)
        code = ctypes.create_string_buffer(program)
        attached = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, attached)
        if device == "lo":  # there each packet that leaves comes in as well
            listening.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        listening.bind((device, ETH_P_ALL))
        listening.settimeout(POLL_S)
    except BaseException:
        listening.close()
        raise
    return listening
