"""Spread: copies a packet to so many hosts of this node, from now on natively.

Metadata is the number of copies, two bytes, big-endian. The sender gets none.
"""

from collections.abc import Iterable
from itertools import islice

from ei.sdk import Context, Effect, Hop, PacketArrived, Service, forward

LIFE_S = 3_600.0


class Spread(Service[None]):
    """Copies."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Copy, now and from now on."""
        packet = event.packet
        others = (Hop(peer) for peer in ctx.peers if peer != packet.ingress)
        hops = tuple(islice(others, int.from_bytes(packet.metadata, "big")))
        return forward(packet, hops, ttl_s=LIFE_S, tag=b"all")


SERVICE = Spread
