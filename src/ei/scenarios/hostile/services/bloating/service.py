"""Bloating: takes memory until there is none; hands on what is for others."""

from collections.abc import Iterable

from ei.sdk import Context, DropPacket, Effect, PacketArrived, Service, hand_on

BLOATING = 0xF000_0022
PIECE_BYTES = 2**20
KEPT: list[bytes] = []


def take(into: list[bytes]) -> None:
    """Take memory, and write to it."""
    while True:
        into.append(b"x" * PIECE_BYTES)


class Bloating(Service[None]):
    """Takes."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Take for this event, or for good."""
        packet = event.packet
        if packet.service != BLOATING:
            return hand_on(packet, ttl_s=1.0)
        if packet.metadata == b"fill":
            take([])
        if packet.metadata == b"keep":
            take(KEPT)
        return (DropPacket("calm"),)


SERVICE = Bloating
