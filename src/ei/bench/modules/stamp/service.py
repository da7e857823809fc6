"""Stamp: no packet goes on before a record of it is on disk.

Keys are random, so that the store cannot write them in order; no decision is ever made.
"""

from collections.abc import Iterable

from ei.sdk import Address, Context, DropPacket, Effect, PacketArrived, SendPacket, Service

KEY_BYTES = 16


class Stamp(Service[None]):
    """Keeps, then sends."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Keep who sent what where, and send it."""
        packet = event.packet
        there = Address(packet.metadata)
        if there not in ctx.peers:
            return (DropPacket("unknown_host"),)
        ctx.stable.put(ctx.random.randbytes(KEY_BYTES), packet.source + there)
        return (SendPacket(packet, there),)


SERVICE = Stamp
