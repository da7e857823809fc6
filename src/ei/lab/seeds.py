"""Everything random in a lab comes from one seed, by labelled hashing.

Two labels never share bytes, so adding a host to a topology changes nothing for the others.
"""

import hashlib

SEED_LIMIT = 2**64


def derive(seed: int, *labels: str) -> bytes:
    """Return 32 bytes for `labels` under `seed`.

    Args:
        seed: Unsigned, 64 bits.
        labels: Such as `"host", "alice.isp-a", "identity"`; each part is delimited by its length.
    """
    hasher = hashlib.sha256(b"ei lab seed 1")
    hasher.update(seed.to_bytes(8, "little"))
    for label in labels:
        encoded = label.encode()
        hasher.update(len(encoded).to_bytes(4, "little"))
        hasher.update(encoded)
    return hasher.digest()


def derive_number(seed: int, *labels: str) -> int:
    """Return an unsigned number of 64 bits for `labels` under `seed`."""
    return int.from_bytes(derive(seed, *labels)[:8], "little")
