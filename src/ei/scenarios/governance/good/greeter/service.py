"""Greeter: number (8) ─▶ version (1), number (8)."""

from collections.abc import Iterable

import msgspec

from ei.sdk import Context, Effect, PacketArrived, SendPacket, Service

VERSION = 1


class Greeter(Service[None]):
    """Answers."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Answer with the version and what was sent."""
        packet = event.packet
        said = msgspec.structs.replace(packet, payload=bytes([VERSION]) + packet.payload)
        return (SendPacket(said, packet.ingress),)


SERVICE = Greeter
