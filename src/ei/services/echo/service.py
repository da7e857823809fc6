"""Echo: every packet goes back on the pipe that it came by, as it came.

What it answers depends on the pipe alone, so it never reads a payload, and a node that is asked
twice answers the second time without this code.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import Context, Effect, Hop, PacketArrived, Service, forward


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times, in seconds.

    Attributes:
        decision_s: How long the datapath answers by itself.
    """

    decision_s: float


class Echo(Service[Config]):
    """Sends every packet back."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Send back, now and from now on."""
        packet = event.packet
        back = Hop(packet.ingress)
        return forward(packet, (back,), ttl_s=ctx.config.decision_s, tag=packet.ingress)


SERVICE = Echo
