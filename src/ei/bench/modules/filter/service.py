"""Filter: packets go to the host that their metadata names, unless it wants none of their source.

A host says so itself, and may say otherwise later. `filter_wasm` is the same in WebAssembly.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import (
    Address,
    Context,
    ControlArrived,
    Count,
    DropPacket,
    Effect,
    Hop,
    PacketArrived,
    RevokeDecisions,
    Service,
    forward,
    refuse,
)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times, in seconds.

    Attributes:
        decision_s: How long the datapath answers by itself.
    """

    decision_s: float


class Admit(msgspec.Struct, frozen=True, array_like=True, tag=0, forbid_unknown_fields=True):
    """The sender takes packets of `source` again."""

    source: Address


class Block(msgspec.Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """The sender takes no more packets of `source`."""

    source: Address


MESSAGES = Admit | Block


class Filter(Service[Config]):
    """Sends on, or refuses."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Decide, now and for a while."""
        packet = event.packet
        to = Address(packet.metadata)
        pair = to + packet.source
        if ctx.stable.get(pair) is not None:
            return refuse(packet, "blocked", ttl_s=ctx.config.decision_s, tag=pair)
        if to not in ctx.peers:
            return (DropPacket("unknown_host"),)
        return forward(packet, (Hop(to),), ttl_s=ctx.config.decision_s, tag=pair)

    def on_control(self, event: ControlArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Keep what a host wants, and forget what was decided before."""
        match event.message:
            case Admit(source=source):
                pair = event.sender + source
                ctx.stable.delete(pair)
                return (RevokeDecisions(pair),)
            case Block(source=source):
                pair = event.sender + source
                ctx.stable.put(pair, b"")
                return (RevokeDecisions(pair), Count("blocks"))
            case _:
                return ()


SERVICE = Filter
