"""Native per-packet functions that a decision applies before its action.

A stage with state names an object in a bounded native table of its service. Decisions only refer
to the object, so evicting a decision resets nothing.
"""

import msgspec


class Meter(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Drop (`metered`) what exceeds a token bucket over payload bytes.

    Attributes:
        object: Name of the bucket, 1 to 64 bytes; two decisions that name it share it.
        rate_bytes_per_s: Tokens per second, 1 to 2^40.
        burst_bytes: Most tokens, 1 to 2^40; the bucket starts full.
    """

    object: bytes
    rate_bytes_per_s: int
    burst_bytes: int


class Tally(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """Count packets and payload bytes; read them back with `ReadTally`.

    Attributes:
        object: Name of the pair of counts, 1 to 64 bytes.
    """

    object: bytes


Stage = Meter | Tally
