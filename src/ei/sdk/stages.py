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


Ratio = Annotated[int, Meta(ge=1, le=1_000)]


class Compress(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Put a zstd frame in the place of the payload, for the next node to decompress.

    Leaves a payload as it is that the hosts have sealed, whose frame would not be smaller, or
    whose frame `Decompress` with the same ratio would refuse; and all while the dictionary is not
    there. Nothing of one packet is context of another.

    Attributes:
        object: Name of the dictionaries that `KeepDictionary` filled, 1 to 64 bytes.
        dictionary: Number of the one to use.
        ratio: Most times that a payload may be as long as its frame, 1 to 1_000.
    """

    object: ObjectName
    dictionary: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    ratio: Ratio


class Decompress(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Put the payload back in the place of its frame; leave what is no frame as it is.

    Drops what is not one whole frame (`undecodable`), what names a dictionary that `object` has
    not (`unknown_dictionary`) and, before anything is decompressed, what would grow beyond ratio or
    limit, or needs a larger window than the limit (`expands_too_much`).

    Attributes:
        object: Name of the dictionaries that `KeepDictionary` filled, 1 to 64 bytes.
        ratio: Most times that a payload may be as long as its frame, 1 to 1_000.
        limit_bytes: Longest payload, 1 to 65_000.
    """

    object: ObjectName
    ratio: Ratio
    limit_bytes: Annotated[int, Meta(ge=1, le=65_000)]


class Keep(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Keep the last packets that come to this stage, to be sent again by `SendKept`.

    A packet is found again by the first 8 bytes of its payload, which a sender numbers them by; one
    with a shorter payload is not kept, nor one of a name that is kept already.

    Attributes:
        object: Name of the history, 1 to 64 bytes.
        packets: Most packets, 1 to 65_536; the oldest makes room.
        bytes: Most bytes of metadata and payload, 1 to 2^26. All histories of a service may come
            to 2^28; one that finds no room keeps nothing, one that is idle for 30 s makes room.
    """

    object: ObjectName
    packets: Annotated[int, Meta(ge=1, le=65_536)]
    bytes: Annotated[int, Meta(ge=1, le=2**26)]


Stage = Meter | Tally | Compress | Decompress | Keep
Stages = Annotated[tuple[Stage, ...], Meta(max_length=8)]
