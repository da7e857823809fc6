"""Gauge: counts packets and bytes of each source, and hands on what it counted.

The counting is a native stage of the decision, so that a decided chain still costs one lookup.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import Context, Effect, PacketArrived, Service, Tally, hand_on


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times, in seconds.

    Attributes:
        decision_s: How long the datapath counts by itself.
    """

    decision_s: float


class Gauge(Service[Config]):
    """Counts and hands on."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Count this packet and those just like it, and hand them on."""
        packet = event.packet
        counted = Tally(object=packet.source)
        return hand_on(packet, ttl_s=ctx.config.decision_s, tag=packet.source, stages=(counted,))


SERVICE = Gauge
