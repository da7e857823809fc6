"""The tiers of services: what one may ask of a node at most. One table, for who enforces it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

TierName = Literal["nano", "standard", "heavy"]

MIB = 1024 * 1024


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one tier.

    Attributes:
        handler_ms: Most CPU time of an event that a manifest may ask for.
        memory_mib: Of the worker, beside three times what the stores in memory may hold.
        start_ms: CPU time until the module is imported and set up.
        effects: Of one event.
        stable_bytes, ephemeral_bytes: Most that a manifest may ask for.
        timers: Armed at once.
        streams: Open at once, both those that others opened and its own.
    """

    handler_ms: int
    memory_mib: int
    start_ms: int
    effects: int
    stable_bytes: int
    ephemeral_bytes: int
    timers: int
    streams: int


TIERS: Mapping[TierName, Tier] = {
    "nano": Tier(
        handler_ms=10,
        memory_mib=64,
        start_ms=250,
        effects=64,
        stable_bytes=MIB,
        ephemeral_bytes=MIB,
        timers=256,
        streams=0,
    ),
    "standard": Tier(
        handler_ms=50,
        memory_mib=256,
        start_ms=1_000,
        effects=2_048,
        stable_bytes=128 * MIB,
        ephemeral_bytes=64 * MIB,
        timers=16_384,
        streams=16_384,
    ),
    "heavy": Tier(
        handler_ms=10_000,
        memory_mib=1_024,
        start_ms=5_000,
        effects=2_048,
        stable_bytes=2**40,
        ephemeral_bytes=2**40,
        timers=65_536,
        streams=65_536,
    ),
}
"""From the smallest to the largest."""


def least_tier(bound: str, seen: int) -> TierName:
    """Return the smallest tier with at least so much of one bound; the largest where none has.

    Args:
        bound: Name of an attribute of `Tier`.
        seen: What is asked for.
    """
    for name, tier in TIERS.items():
        if getattr(tier, bound) >= seen:
            return name
    return "heavy"
