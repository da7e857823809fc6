"""MODULE_NAME: keeps values by name, for each host its own, and says so once they are on disk.

    put NAME VALUE ──▶ kept
    get NAME ──▶ VALUE, or nothing

A packet leaves only after what its event has written is on disk: `kept` claims nothing that
storage could lose. When the store is full, a `put` fails, and is counted as `service_error`.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import (
    Context,
    Corner,
    DropPacket,
    Effect,
    Packet,
    PacketArrived,
    SendPacket,
    Service,
    Tables,
)

MOST_NAME_BYTES = 64


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a value is kept, in seconds."""

    keep_s: float


class Shelf(Tables):
    """What is kept."""

    values = Corner("values", bytes)


class ModuleName(Service[Config]):
    """Keeps, and tells."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Do what the packet asks for, and send it back with what came of it."""
        packet, shelf = event.packet, Shelf(ctx.stable)
        match packet.payload.split(b" ", 2):
            case [_, name, *_] if len(name) > MOST_NAME_BYTES:
                yield DropPacket("too_long")
            case [b"put", name, value]:
                shelf.values.put(packet.source + name, value, ttl_s=ctx.config.keep_s)
                yield answer(packet, b"kept")
            case [b"get", name]:
                yield answer(packet, shelf.values.get(packet.source + name) or b"nothing")
            case _:
                yield DropPacket("not_understood")


def answer(packet: Packet, payload: bytes) -> SendPacket:
    """Return the packet with another payload, to where it came from."""
    return SendPacket(msgspec.structs.replace(packet, payload=payload), to=packet.ingress)


SERVICE = ModuleName
