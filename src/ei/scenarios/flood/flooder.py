"""Floods a node with handshake initiations, each from another address of 127/8.

    python -m ei.scenarios.flood.flooder ENDPOINT PUBLIC_KEY PER_S SECONDS

What it sends costs the node an X25519 each, unless that asks for a cookie first: suite, length and
checksum are right, and the keys are random. It says in one line of JSON what it has sent.
"""

import hashlib
import hmac
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, cycle

import msgspec

from ei.records.endpoints import parse_endpoint

MAC_BYTES = 16
HEAD = struct.Struct("<BBHI4s")
INITIATION = 0x11
SUITE = 2
MESSAGE_BYTES = 1_315
"""An ephemeral key, a sealed key of the sender, a sealed payload with a key of ML-KEM."""
POOL = 4_096
"""Initiations made beforehand. None is remembered, since none is accepted."""

IP_PKTINFO = 8
"""Says from which of the machine's addresses one datagram comes: ip(7)."""
FIRST_SOURCE = 0x7FC0_0000
SOURCES = 2**21
"""127.192.0.0/11: no lab has an address there, and none of them is the network's broadcast."""
STRIDE = 2_654_435_761
"""Odd, so that addresses come again only when all have come."""
TURN_S = 0.001
URGENCY = -10
"""Of the scheduler: a flood comes from elsewhere, and is not slowed by those whom it floods."""


class Flooded(msgspec.Struct, frozen=True):
    """What was sent, and how long that took."""

    sent: int
    seconds: float

    @property
    def per_s(self) -> float:
        """The rate that was reached."""
        return self.sent / self.seconds if self.seconds else 0.0


def initiation(public_key: bytes, random: bytes, *, index: int) -> bytes:
    """Return an initiation to the owner of `public_key` that is wrong only under its seal.

    Args:
        random: 1_315 bytes, for the message.
    """
    head = HEAD.pack(INITIATION, SUITE, MESSAGE_BYTES, index, bytes([SUITE, 0, 0, 0]))
    before = head + random
    key = hashlib.sha256(b"ei mac1" + public_key).digest()
    return before + hmac.digest(key, before, "sha256")[:MAC_BYTES] + bytes(MAC_BYTES)


def sources() -> Iterator[bytes]:
    """Yield IPv4 addresses, two million different ones before the first comes again."""
    for number in count():
        yield (FIRST_SOURCE + number * STRIDE % SOURCES).to_bytes(4, "big")


def flood(  # noqa: PLR0913 a load, and the clock that it keeps
    opened: socket.socket,
    to: tuple[str, int],
    datagrams: list[bytes],
    *,
    per_s: float,
    seconds: float,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Flooded:
    """Send at a steady rate; what is late is made up for."""
    began_s = now_s()
    sent = 0
    # The interface, the address it comes from, and one that counts for what is received.
    places = (struct.pack("=I4s4s", 0, source, bytes(4)) for source in sources())
    both = zip(cycle([[datagram] for datagram in datagrams]), places, strict=False)
    while (passed_s := now_s() - began_s) < seconds:
        while sent < passed_s * per_s:
            datagram, place = next(both)
            _ = opened.sendmsg(datagram, [(socket.IPPROTO_IP, IP_PKTINFO, place)], 0, to)
            sent += 1
        _ = sleep(TURN_S)
    return Flooded(sent, now_s() - began_s)


def main(words: list[str]) -> int:
    """Flood, and say what was sent."""
    endpoint, key, per_s, seconds = words
    address, port = parse_endpoint(endpoint)
    public_key = bytes.fromhex(key)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, URGENCY)
    datagrams = [
        initiation(public_key, os.urandom(MESSAGE_BYTES), index=number << 4)
        for number in range(POOL)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("0.0.0.0", 0))  # noqa: S104 each datagram says where it comes from
        flooded = flood(
            opened, (str(address), port), datagrams, per_s=float(per_s), seconds=float(seconds)
        )
    _ = sys.stdout.write(msgspec.json.encode(flooded).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
