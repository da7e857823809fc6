"""What foreign programs in the namespaces of a lab send one another, over the same links as ours.

The middle routes every IP packet that is not for a relay once through a TUN device. Here it is
taken from there, offered to the model of the link between its two ends, and put back when it is
due. Good for some 20_000 packets per second: pings, downloads, name servers.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import IPv4Address

from ei._core import Link, monotonic_ns

MAX_PACKETS = 64
"""Taken before the rest of the loop gets its turn."""
MAX_IN_FLIGHT = 16_384
"""Packets that wait for their time; beyond it they are lost, as in a full queue."""
MAX_PACKET_BYTES = 65_535
SHORTEST_HEADER = 20
IPV4 = 4

LinkOf = Callable[[str, str], Link]
"""Takes the names of sender and receiver, makes the model of that direction."""


class Underlay:
    """Carries packets from one address to another.

    Args:
        tun: Descriptor that gives and takes one IP packet at a time; does not block.
        addresses: Name to IPv4 address.
        link_of: Makes links when they are first used, or first used after `change`.
    """

    def __init__(self, tun: int, addresses: Mapping[str, str], *, link_of: LinkOf) -> None:
        self._tun = tun
        self._names = {IPv4Address(address).packed: name for name, address in addresses.items()}
        self._link_of = link_of
        self._links: dict[tuple[str, str], Link] = {}
        self._in_flight = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Carry from now on, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._tun, self._receive)

    def stop(self) -> None:
        """Carry nothing more. Idempotent."""
        if self._loop is not None:
            _ = self._loop.remove_reader(self._tun)
            self._loop = None

    def models(self, a: str, b: str) -> tuple[Link, ...]:
        """Return what is used of the link between two names: none, one or both directions."""
        return tuple(self._links[link] for link in ((a, b), (b, a)) if link in self._links)

    def change(self, a: str, b: str) -> tuple[Link, ...]:
        """Make the link between two names anew, both ways; return what it was."""
        former = self.models(a, b)
        for link in ((a, b), (b, a)):
            _ = self._links.pop(link, None)
        return former

    def _receive(self) -> None:
        for _ in range(MAX_PACKETS):
            try:
                packet = os.read(self._tun, MAX_PACKET_BYTES)
            except BlockingIOError:
                return
            self._offer(packet)

    def _offer(self, packet: bytes) -> None:
        if self._loop is None or len(packet) < SHORTEST_HEADER or packet[0] >> 4 != IPV4:
            return
        sender, receiver = self._names.get(packet[12:16]), self._names.get(packet[16:20])
        if sender is None or receiver is None or self._in_flight >= MAX_IN_FLIGHT:
            return
        link = self._links.get((sender, receiver))
        if link is None:
            link = self._links[sender, receiver] = self._link_of(sender, receiver)
        for at_ns, copy in link.offer(monotonic_ns(), packet):
            self._in_flight += 1
            # The loop's clock is the one that the link was told.
            _ = self._loop.call_at(at_ns / 1e9, self._put_back, copy)

    def _put_back(self, packet: bytes) -> None:
        self._in_flight -= 1
        if self._loop is not None:
            # A damaged header, or a queue of the kernel that is full: lost, as on any link.
            with suppress(OSError):
                _ = os.write(self._tun, packet)
