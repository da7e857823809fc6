"""What a stream to a cache is for, and what hosts and nodes tell each other of purges."""

from typing import Annotated

import msgspec
from msgspec import Meta

Tag = Annotated[bytes, Meta(min_length=1, max_length=256)]
Host = Annotated[str, Meta(min_length=1, max_length=253)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MOST_AT_ONCE = 64


class Site(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """An opening: requests on this stream are for one site, in origin-form.

    An empty opening instead makes the stream one to a proxy: requests in absolute-form.
    """

    host: Host
    port: Port = 80


class Tier(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """An opening, from another node of the tier: requests in absolute-form, for a tenant of its.

    Attributes:
        tenant: Whose requests they are.
    """

    tenant: Annotated[bytes, Meta(min_length=4, max_length=16)]


Opening = Site | Tier


def write_opening(opening: Opening) -> bytes:
    """Return the bytes with which a stream is opened."""
    return msgspec.msgpack.encode(opening)


def read_opening(data: bytes) -> Opening | None:
    """Return what a stream is for; `None` for a proxy.

    Raises:
        msgspec.MsgspecError: It cannot be read.
    """
    return msgspec.msgpack.decode(data, type=Opening) if data else None


class Purge(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """Host to its node: what its domain has kept of these may be used no more.

    Attributes:
        number: Comes back in `Purged`; of the host's choice.
        urls: As in requests in absolute-form, all variants of each.
        tags: As said by `Surrogate-Key` or `Cache-Tag`.
        is_soft: It is stale, not gone: it may still be used while it is asked for anew.
    """

    number: Sequence
    urls: Annotated[tuple[str, ...], Meta(max_length=MOST_AT_ONCE)] = ()
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MOST_AT_ONCE)] = ()
    is_soft: bool = False


class Purged(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """Node to host: it is done here, and the other nodes of the tier are told."""

    number: Sequence


class Mark(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """One purge, as nodes keep it.

    Attributes:
        label: Of a tenant and a tag or key, as a hash; empty: of everything.
        is_soft: As in `Purge`.
    """

    label: Annotated[bytes, Meta(max_length=32)]
    is_soft: bool


class Spread(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2, forbid_unknown_fields=True
):
    """Node to the others of the tier: purges that came to it, all before `next` now.

    Attributes:
        epoch: Of its log.
        next: What to say in `Heard`.
        marks: In the order in which they came.
    """

    epoch: Sequence
    next: Sequence
    marks: Annotated[tuple[Mark, ...], Meta(max_length=4 * MOST_AT_ONCE)]


class Heard(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3, forbid_unknown_fields=True
):
    """Node to the one that spread purges: all before `next` are done here."""

    epoch: Sequence
    next: Sequence


MESSAGES = Purge | Purged | Spread | Heard
