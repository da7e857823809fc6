"""How much goes into one packet, pure: what is around a payload on its way, what that leaves."""

from collections.abc import Sequence

from ei.errors import LimitError

MAX_METADATA_BYTES = 255
MAX_SEALED_BYTES = 1_280
"""What hosts may rely on inside the end-to-end seal (architecture 7, "Size")."""
MIN_PACKET_BYTES = 1_360
"""What the handshake of a pipe needs, and 16 bytes more than streams do, whose packets of 1,232
bytes have one size on every way."""
PREFIX_AND_TAG_BYTES = 32
HEADER_BYTES = 20 + 16
"""The fixed part, and the source, which the first node adds."""
BLOCK_BYTES = 16
"""What is sealed is padded to a multiple of it."""
END_TO_END_BYTES = 28
WAY_BYTES = 16 + 16
"""The destination, and the node that it is attached to, which the first node may add."""


def largest_payload(max_datagram_bytes: int, metadata_bytes: int) -> int:
    """Return how long a payload may be beside so much metadata, covered or not."""
    header = HEADER_BYTES + metadata_bytes
    room = (max_datagram_bytes - PREFIX_AND_TAG_BYTES) // BLOCK_BYTES - -(-header // BLOCK_BYTES)
    return min(MAX_SEALED_BYTES, room * BLOCK_BYTES)


def largest_sealed(max_datagram_bytes: int) -> int:
    """Return how long what two hosts seal may be, on its way by `delivery`."""
    header = -(-(HEADER_BYTES + WAY_BYTES) // BLOCK_BYTES) * BLOCK_BYTES
    around = PREFIX_AND_TAG_BYTES + header + END_TO_END_BYTES
    return min(MAX_SEALED_BYTES, max_datagram_bytes - around)


def check_room(payloads: Sequence[bytes], metadata: bytes, max_datagram_bytes: int) -> None:
    """Raise a `LimitError` unless each payload fits a packet beside the metadata."""
    if len(metadata) > MAX_METADATA_BYTES:
        raise LimitError(f"metadata of {len(metadata)} B; allowed are {MAX_METADATA_BYTES} B")
    longest = max(map(len, payloads), default=0)
    allowed = largest_payload(max_datagram_bytes, len(metadata))
    if longest > allowed:
        raise LimitError(
            f"a payload of {longest} B beside {len(metadata)} B of metadata; "
            f"allowed are {allowed} B"
        )
