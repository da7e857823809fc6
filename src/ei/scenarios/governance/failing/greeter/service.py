"""Greeter: number (8) ─▶ version (1), number (8); but each twentieth number is too much for it."""

from collections.abc import Iterable

import msgspec

from ei.sdk import Context, Effect, PacketArrived, SendPacket, Service

VERSION = 2
EVERY = 20


class Greeter(Service[None]):
    """Answers."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Answer, but for one in twenty."""
        packet = event.packet
        if int.from_bytes(packet.payload) % EVERY == 0:
            raise ValueError("a number that nobody tried")
        said = msgspec.structs.replace(packet, payload=bytes([VERSION]) + packet.payload)
        return (SendPacket(said, packet.ingress),)


SERVICE = Greeter
