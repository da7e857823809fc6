"""Native per-packet functions that a decision applies before its action.

A stage with state names an object in a bounded native table of its service. Decisions only refer
to the object, so evicting a decision resets nothing.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

ObjectName = Annotated[bytes, Meta(min_length=1, max_length=64)]
Bytes = Annotated[int, Meta(ge=1, le=2**40)]


class Meter(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Drop (`metered`) what exceeds a token bucket over payload bytes.

    Attributes:
        object: Name of the bucket, 1 to 64 bytes; two decisions that name it share it.
        rate_bytes_per_s: Tokens per second, 1 to 2^40.
        burst_bytes: Most tokens, 1 to 2^40; the bucket starts full.
    """

    object: ObjectName
    rate_bytes_per_s: Bytes
    burst_bytes: Bytes


class Tally(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """Count packets and payload bytes; read them back with `ReadTally`.

    Attributes:
        object: Name of the pair of counts, 1 to 64 bytes.
    """

    object: ObjectName


Stage = Meter | Tally
Stages = Annotated[tuple[Stage, ...], Meta(max_length=8)]
