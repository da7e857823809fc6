"""Census: counts the packets of each source, like telemetry would."""

from collections.abc import Iterable

from ei.sdk import Context, Effect, PacketArrived, Service, Tally, hand_on


class Census(Service[None]):
    """Counts and hands on."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Count this packet and those just like it, and hand them on."""
        packet = event.packet
        counted = Tally(object=packet.source)
        return hand_on(packet, ttl_s=10.0, tag=packet.source, stages=(counted,))


SERVICE = Census
