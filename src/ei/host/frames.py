"""What two host stacks say to each other inside the end-to-end seal of a datagram.

    kind u8 | source port u16 | destination port u16 | number u64 | data       little-endian

The number is the sender's own count; receipts and echo replies repeat the number that they answer.
"""

import struct
from enum import IntEnum

import msgspec

from ei.errors import PeerError

LAYOUT = struct.Struct("<BHHQ")
HEADER_BYTES = LAYOUT.size


class FrameKind(IntEnum):
    """What a frame is for."""

    DATAGRAM = 1
    DATAGRAM_WITH_RECEIPT = 2
    """The destination answers with `RECEIPT`, once somebody there has taken it."""
    RECEIPT = 3
    ECHO_REQUEST = 4
    """Answered by the destination's stack, whoever listens."""
    ECHO_REPLY = 5
    REFUSAL = 6
    """A receipt's opposite: nobody listens on the port, or the listener's inbox is full."""
    DURABLE = 7
    """More than a receipt: who has taken it says that nothing will lose it any more."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame. Ports are 0 where a kind has none."""

    kind: FrameKind
    number: int
    data: bytes = b""
    source_port: int = 0
    destination_port: int = 0


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of `frame`."""
    return (
        LAYOUT.pack(frame.kind, frame.source_port, frame.destination_port, frame.number)
        + frame.data
    )


def parse_frame(received: bytes) -> Frame:
    """Parse the plaintext of a datagram.

    Raises:
        PeerError: too short, or of an unknown kind.
    """
    if len(received) < HEADER_BYTES:
        raise PeerError(f"a frame of {len(received)} B is shorter than its {HEADER_BYTES} B header")
    kind, source_port, destination_port, number = LAYOUT.unpack_from(received)
    try:
        known = FrameKind(kind)
    except ValueError as error:
        raise PeerError(f"a frame of kind {kind}; known are 1 to {max(FrameKind)}") from error
    return Frame(known, number, received[HEADER_BYTES:], source_port, destination_port)
