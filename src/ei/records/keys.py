"""Identity keys: Ed25519 to sign with, X25519 for pipes."""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ei.errors import LocalError
from ei.records.addresses import KEY_BYTES, make_address
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class Keys:
    """The two private keys of a host, node or domain. Its repr shows the public one only.

    Attributes:
        identity_secret: Ed25519 private key (RFC 8032), 32 bytes.
        pipe_secret: X25519 private key, 32 bytes.
        identity_key, pipe_key: Their public halves.
    """

    identity_secret: bytes = field(repr=False)
    pipe_secret: bytes = field(repr=False)
    identity_key: bytes = field(init=False)
    pipe_key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for secret in (self.identity_secret, self.pipe_secret):
            if len(secret) != KEY_BYTES:
                raise LocalError(f"a private key has {KEY_BYTES} bytes, not {len(secret)}")
        identity = Ed25519PrivateKey.from_private_bytes(self.identity_secret).public_key()
        pipe = X25519PrivateKey.from_private_bytes(self.pipe_secret).public_key()
        object.__setattr__(self, "identity_key", identity.public_bytes_raw())
        object.__setattr__(self, "pipe_key", pipe.public_bytes_raw())

    def address(self, domain_number: int) -> Address:
        """Return the address of these keys in a domain."""
        return make_address(domain_number, self.identity_key)

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.identity_secret).sign(message)


def make_keys(randomness: bytes) -> Keys:
    """Return the keys that follow from `randomness`; equal bytes give equal keys.

    Args:
        randomness: At least 32 bytes: of the system for a real identity, of a seed in a lab.

    Raises:
        LocalError: fewer than 32 bytes.
    """
    if len(randomness) < KEY_BYTES:
        raise LocalError(f"keys need {KEY_BYTES} B of randomness, not {len(randomness)}")
    return Keys(
        hashlib.sha256(b"ei identity secret 1" + randomness).digest(),
        hashlib.sha256(b"ei pipe secret 1" + randomness).digest(),
    )
