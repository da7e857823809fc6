"""MODULE_NAME: every packet comes back with a greeting before its payload.

The answer depends on the payload, so it leaves no decision behind, and sees every packet.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import Context, DropPacket, Effect, PacketArrived, SendPacket, Service

MOST_BYTES = 1_000
"""Longest payload that is greeted: together with the greeting it fits into one datagram."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes before each payload."""

    greeting: str


class ModuleName(Service[Config]):
    """Greets."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Send the packet back to where it came from, with the greeting."""
        packet = event.packet
        if len(packet.payload) > MOST_BYTES:
            yield DropPacket("too_long")
            return
        payload = f"{ctx.config.greeting} ".encode() + packet.payload
        answer = msgspec.structs.replace(packet, payload=payload)
        yield SendPacket(answer, to=packet.ingress)


SERVICE = ModuleName
