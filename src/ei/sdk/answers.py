"""Answers that cache themselves: the packet at hand fares just as the ones that follow it.

A decision may be forgotten at any time, so a packet that misses must be treated as a hit would be
(law 5). Saying it once is the way to say it the same.
"""

import msgspec

from ei.sdk.decisions import Decision, Discard, Forward, Hop, Pass, key_of
from ei.sdk.effects import DropPacket, Effect, InstallDecision, PassPacket, SendPacket
from ei.sdk.packets import Packet
from ei.sdk.stages import Stage


def forward(
    packet: Packet,
    hops: tuple[Hop, ...],
    *,
    ttl_s: float,
    tag: bytes = b"",
    stages: tuple[Stage, ...] = (),
) -> tuple[Effect, ...]:
    """Send one copy to each hop, now and for the packets just like it."""
    decision = Decision(key_of(packet), Forward(hops), ttl_s, tag, stages)
    effects: list[Effect] = [InstallDecision(decision)]
    for hop in hops:
        copy = _copy(packet, hop)
        effects.append(SendPacket(copy, hop.to, stages))
    return tuple(effects)


def hand_on(
    packet: Packet, *, ttl_s: float, tag: bytes = b"", stages: tuple[Stage, ...] = ()
) -> tuple[Effect, ...]:
    """Hand on to the next service of the chain, now and for the packets just like it."""
    decision = Decision(key_of(packet), Pass(), ttl_s, tag, stages)
    return (InstallDecision(decision), PassPacket(packet, stages))


def refuse(packet: Packet, reason: str, *, ttl_s: float, tag: bytes = b"") -> tuple[Effect, ...]:
    """Drop for `reason`, now and for the packets just like it."""
    decision = Decision(key_of(packet), Discard(reason), ttl_s, tag)
    return (InstallDecision(decision), DropPacket(reason))


def _copy(packet: Packet, hop: Hop) -> Packet:
    """Return the packet as a decision with this hop would send it."""
    if hop.metadata is None and hop.connection is None and hop.source is None:
        return packet
    return msgspec.structs.replace(
        packet,
        metadata=packet.metadata if hop.metadata is None else hop.metadata,
        connection=packet.connection if hop.connection is None else hop.connection,
        source=packet.source if hop.source is None else hop.source,
    )
