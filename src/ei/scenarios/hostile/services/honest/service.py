"""Honest: answers each packet with itself, asked anew each time; told to, it keeps the payload."""

from collections.abc import Iterator

import msgspec

from ei.sdk import Context, Effect, PacketArrived, SendPacket, Service

KEEP = b"keep"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What its operator tells it.

    Attributes:
        word: A secret.
    """

    word: str


class Honest(Service[Config]):
    """Answers."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterator[Effect]:
        """Answer, and keep what is to be kept."""
        packet = event.packet
        if packet.metadata == KEEP:
            ctx.stable.put(b"kept", packet.payload)
            ctx.ephemeral.put(b"kept", packet.payload)
        yield SendPacket(packet, packet.ingress)


SERVICE = Honest
