"""Crashing: ends its process, in the way that its metadata names; hands on what is for others."""

import random
from collections.abc import Iterable
from typing import Any

from ei.sdk import Context, DropPacket, Effect, PacketArrived, Service, hand_on

CRASHING = 0xF000_0024


def crash() -> None:
    """Read where nothing is. Python lets who knows it well get at what no module may import."""
    system: Any = vars(random)["_os"].sys
    system.modules["ctypes"].string_at(0)


class Crashing(Service[None]):
    """Ends."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """End, or drop, or hand on."""
        packet = event.packet
        if packet.service != CRASHING:
            return hand_on(packet, ttl_s=1.0)
        if packet.metadata == b"crash":
            crash()
        if packet.metadata == b"exit":
            raise SystemExit
        return (DropPacket("calm"),)


SERVICE = Crashing
