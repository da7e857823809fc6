"""Wiretap: before a node's own services it shows frames to a host; named itself, it forges packets.

The first packet of each connection is shown as it came by the pipe, then the datapath has a moment
alone. What a host sends to the wiretap goes to the next node as a packed packet of delivery.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

import msgspec

from ei.sdk import (
    Address,
    Context,
    Effect,
    Packet,
    PacketArrived,
    Protection,
    SendControl,
    SendPacket,
    Service,
    hand_on,
)

WIRETAP = 0xF000_0002
DELIVERY = 16


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom it serves.

    Attributes:
        observer: Address of the host that is shown what crosses.
        next_node: Address of the node that is sent forged packets.
        decision_s: How long packets of a connection then pass unseen.
    """

    observer: str
    next_node: str
    decision_s: float


class Seen(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """To the observer: a payload as it came.

    Attributes:
        source: Whose.
        is_frame: It is compressed.
        payload: Its bytes.
    """

    source: bytes
    is_frame: bool
    payload: bytes


MESSAGES = Seen


class Wiretap(Service[Config]):
    """Shows and forges."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Show a packet on its way, or forge one."""
        if event.packet.service == WIRETAP:
            return forge(event.packet, ctx)
        return show(event.packet, ctx)


def show(packet: Packet, ctx: Context[Config]) -> Iterator[Effect]:
    """Let the observer have a copy."""
    is_frame = packet.protection is Protection.PACKED
    if ctx.config.observer:
        seen = Seen(packet.source, is_frame, packet.payload)
        yield SendControl(seen, to=Address(IPv6Address(ctx.config.observer).packed))
    yield from hand_on(packet, ttl_s=ctx.config.decision_s)


def forge(packet: Packet, ctx: Context[Config]) -> Iterator[Effect]:
    """Send the payload on as a frame, whatever it is."""
    packed = msgspec.structs.replace(packet, service=DELIVERY, protection=Protection.PACKED)
    yield SendPacket(packed, to=Address(IPv6Address(ctx.config.next_node).packed))


SERVICE = Wiretap
