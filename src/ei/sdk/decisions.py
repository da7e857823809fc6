"""Entries of the decision cache: what the datapath may do without asking the service."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk.packets import Address, Connection, Metadata, Packet, Peer
from ei.sdk.stages import Stages

MAX_TAG_BYTES = 64
MAX_TTL_S = 3_600

Tag = Annotated[bytes, Meta(max_length=MAX_TAG_BYTES)]


class Key(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Exact match of later packets of the service; no wildcards.

    Attributes:
        ingress: Peer whose pipe delivers them.
        source: Host that they speak for.
        connection: Connection.
        metadata: Cut by the datapath to `match_metadata` bytes, if the manifest says so.
        egress: Of a receiver's guard: the guarded next hop. Else empty.
        service: Number that the source named; 0 is the service's own. A service interposed in
            several chains answers for each apart, since connections are unique per service only.
    """

    ingress: Address
    source: Address
    connection: Connection
    metadata: bytes
    egress: Address
    service: int = 0


def key_of(packet: Packet) -> Key:
    """Return the key under which packets just like `packet` are looked up."""
    return Key(
        packet.ingress,
        packet.source,
        packet.connection,
        packet.metadata,
        packet.egress,
        packet.service,
    )


class Hop(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One copy of the packet.

    Attributes:
        to: Peer that gets it.
        metadata: Replaces the packet's, 0 to 255 bytes; `None` keeps it.
        connection: Replaces the packet's; `None` keeps it.
        source: Whom the copy speaks for, in the place of the packet's; `None` keeps it. What comes
            back then names it, and finds its way by another decision alone.
    """

    to: Peer
    metadata: Metadata | None = None
    connection: Connection | None = None
    source: Peer | None = None


class Forward(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Send one copy to each hop, 1 to 1_024 hops (the manifest may say fewer)."""

    hops: Annotated[tuple[Hop, ...], Meta(min_length=1, max_length=1_024)]


class Pass(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """Hand on to the next service of the chain."""


class Discard(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Drop, counted under `reason` (a word from the manifest)."""

    reason: str


Action = Forward | Pass | Discard


class Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One cached answer.

    Attributes:
        key: Which packets of this service it answers.
        action: What the datapath does with them, after the stages.
        ttl_s: Seconds from installation until it is forgotten, above 0 and up to 3_600. Hits do
            not extend it, so a wrong answer heals by itself.
        tag: Label under which the service can revoke it, 0 to 64 bytes.
        stages: Applied in order before the action, up to 8.
    """

    key: Key
    action: Action
    ttl_s: Annotated[float, Meta(gt=0, le=MAX_TTL_S)]
    tag: Tag = b""
    stages: Stages = ()
