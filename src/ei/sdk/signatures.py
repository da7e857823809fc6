"""Who signed what: an address names an Ed25519 key, and a key signs bytes.

fd35 | domain number u32 | first 80 bits of SHA-256(tag | domain number | identity key)
"""

import hashlib

from ei.sdk.packets import Address, domain_number_of

PREFIX = bytes.fromhex("fd35")
HOST_TAG = b"ei address 1"
_HASHED_BYTES = 10


def address_named_by(domain_number: int, tag: bytes, key: bytes, *further: bytes) -> Address:
    """Return the address that a key (and what else is hashed) has in a domain."""
    number = domain_number.to_bytes(4, "big")
    digest = hashlib.sha256(b"".join((tag, number, key, *further))).digest()
    return Address(PREFIX + number + digest[:_HASHED_BYTES])


def is_signed(message: bytes, signature: bytes, identity_key: bytes) -> bool:
    """Return whether `signature` is `identity_key`'s over exactly `message`."""
    # Not at the top: `import ei.sdk` loads nothing else.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        Ed25519PublicKey.from_public_bytes(identity_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_signed_by(message: bytes, signature: bytes, address: Address, identity_key: bytes) -> bool:
    """Return whether the host or node of an address signed exactly `message`.

    Args:
        message: Begins with words that say what it is, so that no other is taken for it.
        signature: 64 bytes.
        address: Who is said to have signed.
        identity_key: What its address names; 32 bytes.
    """
    named = address_named_by(domain_number_of(address), HOST_TAG, identity_key)
    return named == address and is_signed(message, signature, identity_key)
