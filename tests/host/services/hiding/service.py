"""A toy that hides hosts from exits: one node forwards, the other ends streams.

The opening of a stream is the port of a server of this machine, and from then on, in a byte, what
meters it: 0 nothing.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from ei.sdk import (
    Address,
    Connection,
    Context,
    Decision,
    DropPacket,
    Effect,
    Forward,
    HoldPacket,
    Hop,
    InstallDecision,
    Key,
    Legacy,
    OpenStream,
    Packet,
    PacketArrived,
    Service,
    SpliceStreams,
    StreamEvent,
    StreamOpened,
    Towards,
    forward,
    towards,
)

TTL_S = 60.0


class Hiding(Service[Any]):
    """Hides whoever sends packets with the address of an exit."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Any]) -> Iterable[Effect]:
        """Send it on as somebody else's, and what comes back as the exit's."""
        packet = event.packet
        found = towards((Address(packet.metadata),), packet, ctx)
        if not isinstance(found, tuple):
            return (HoldPacket(found, 1.0),)
        if not found:
            return (DropPacket("no_way"),)
        return hide(packet, found[0], ctx)

    def on_stream(self, event: StreamEvent, ctx: Context[Any]) -> Iterable[Effect]:
        """Go on to the server."""
        match event:
            case StreamOpened(stream=stream, opening=opening) if stream % 2 == 0:
                port = int.from_bytes(opening[:2], "little")
                return (OpenStream(stream + 1, Legacy("127.0.0.1", port)),)
            case StreamOpened(stream=stream):
                return (SpliceStreams(stream - 1, stream),)
            case _:
                return ()


def hide(packet: Packet, way: Towards, ctx: Context[Any]) -> Iterable[Effect]:
    """Forward both ways natively from now on.

    A greeting takes two packets, which may both come here: a pseudonym follows from whom it hides.
    """
    known = hashlib.sha256(packet.source + packet.connection.to_bytes(8, "little")).digest()
    pseudonym = Address(bytes(ctx.node[:6]) + known[:10])
    connection = Connection(int.from_bytes(known[10:18], "little"))
    onwards = b"" if way.hop == way.node else packet.metadata
    there = Hop(way.hop, onwards, connection, pseudonym)
    back = Key(way.hop, way.node, connection, b"\x01", Address(b""), packet.service)
    to_host = Hop(packet.source, connection=packet.connection)
    return (
        *forward(packet, (there,), ttl_s=TTL_S),
        InstallDecision(Decision(back, Forward((to_host,)), TTL_S)),
    )


SERVICE = Hiding
