"""What a service sees of one packet."""

from enum import IntEnum
from typing import Annotated, NewType

import msgspec
from msgspec import Meta

Address = NewType("Address", bytes)
"""Name of a host or node on the service layer: 16 bytes, written as IPv6 under `fd35::/16`."""

ADDRESS_BYTES = 16

Peer = Annotated[Address, Meta(min_length=ADDRESS_BYTES, max_length=ADDRESS_BYTES)]
"""The address of a peer, in what a service asks for."""


def domain_number_of(address: bytes) -> int:
    """Return the number of the domain that is home to `address`."""
    return int.from_bytes(address[2:6], "big")


Connection = NewType("Connection", int)
"""Chosen by the source, unique for its (source, service): unsigned 64 bits."""

Metadata = Annotated[bytes, Meta(max_length=255)]
Payload = Annotated[bytes, Meta(max_length=65_000)]

NOWHERE = Address(b"")
"""The `egress` of a packet for which no next hop was chosen yet."""


class Protection(IntEnum):
    """How the payload is sealed from host to host.

    `PACKED` is not sealed either: it is a frame that the node before made of the payload, by the
    stage `Compress`, for this one. It never reaches a host.
    """

    NONE = 0
    DATAGRAMS = 1
    STREAMS = 2
    GROUPS = 3
    PACKED = 4


class Packet(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One packet, already authenticated and opened by the datapath.

    Attributes:
        service: Number that the source named; a service interposed in a chain sees another's.
        ingress: Peer whose pipe delivered the packet, 16 bytes (the previous hop).
        source: Host or hiding node that the packet speaks for, 16 bytes.
        connection: Connection within (source, service).
        metadata: The service's own header bytes, 0 to 255 bytes.
        payload: Opaque unless the manifest declares the capability `payload`, 0 to 65_000 bytes.
        traffic_class: Class of service, 0 to 65_535; 0 is best effort.
        hop_limit: Hops left, 0 to 255, as it will leave this node.
        protection: End-to-end seal of the payload.
        is_covered: The payload was inside the seal of the pipe, and will be on the next.
        is_traced: Each node on the way keeps a record of what it did.
        egress: Next hop chosen by the service before, for a receiver's guard; else `NOWHERE`.
    """

    service: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    ingress: Address
    source: Address
    connection: Connection
    metadata: Metadata = b""
    payload: Payload = b""
    traffic_class: Annotated[int, Meta(ge=0, le=65_535)] = 0
    hop_limit: Annotated[int, Meta(ge=0, le=255)] = 64
    protection: Protection = Protection.NONE
    is_covered: bool = False
    is_traced: bool = False
    egress: Address = NOWHERE
