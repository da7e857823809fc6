"""Hybrid public key encryption in base mode (RFC 9180), of one message and one exported secret.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM: the suite of oblivious DNS. A sender draws a
key for each message; what is shared with the recipient's makes key, nonce and exporter secret.
"""

import hmac
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
ENC_BYTES = 32
_SECRET_BYTES = 32
_AEAD_KEY_BYTES, _AEAD_NONCE_BYTES = 16, 12
_VERSION = b"HPKE-v1"
_KEM = b"KEM" + bytes.fromhex("0020")
_SUITE = b"HPKE" + bytes.fromhex("002000010001")
_BASE = b"\0"


class Context(msgspec.Struct, frozen=True, gc=False):
    """What sender and recipient share of one message.

    Attributes:
        key, nonce: Of the message, which is the only one.
        exporter_secret: Other secrets follow from it.
    """

    key: bytes
    nonce: bytes
    exporter_secret: bytes

    def seal(self, plaintext: bytes, additional: bytes) -> bytes:
        """Return the message, sealed; `additional` must be the same where it is opened."""
        return AESGCM(self.key).encrypt(self.nonce, plaintext, additional)

    def open(self, sealed: bytes, additional: bytes) -> bytes:
        """Return the message.

        Raises:
            InvalidTag: It is another's, or was changed.
        """
        return AESGCM(self.key).decrypt(self.nonce, sealed, additional)

    def export(self, purpose: bytes, length: int) -> bytes:
        """Return a secret of up to 32 bytes that both have."""
        return _labelled_expand(_SUITE, self.exporter_secret, b"sec", purpose, length)


def seal_to(public_key: bytes, info: bytes, *, seed: bytes) -> tuple[bytes, Context]:
    """Return the encapsulated key, and what seals a message to whom a key belongs.

    Args:
        public_key: X25519, 32 bytes.
        info: What the message is for.
        seed: The private key of this message, 32 bytes drawn for it.

    Raises:
        ValueError: The public key is none.
    """
    own = X25519PrivateKey.from_private_bytes(seed)
    enc = own.public_key().public_bytes_raw()
    return enc, _context(own.exchange(_public(public_key)), enc + public_key, info)


def open_from(enc: bytes, private_key: bytes, info: bytes) -> Context:
    """Return what opens the message that came with an encapsulated key.

    Raises:
        InvalidTag: It is no key that anybody could have.
    """
    own, public_key = _private(private_key)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(enc))
    except ValueError as error:
        raise InvalidTag from error
    return _context(shared, enc + public_key, info)


def derive_key(seed: bytes) -> tuple[bytes, bytes]:
    """Return the private and the public key that follow from 32 secret bytes (7.1.3)."""
    pseudorandom = _labelled_extract(_KEM, b"", b"dkp_prk", seed)
    private_key = _labelled_expand(_KEM, pseudorandom, b"sk", b"", KEY_BYTES)
    return private_key, _private(private_key)[1]


def forget() -> None:
    """Forget the private keys that were used lately."""
    _private.cache_clear()


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract with SHA-256 (RFC 5869)."""
    return hmac.digest(salt, secret, "sha256")


def expand(pseudorandom: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256, of up to 32 bytes."""
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")[:length]


def _context(shared: bytes, both: bytes, info: bytes) -> Context:
    pseudorandom = _labelled_extract(_KEM, b"", b"eae_prk", shared)
    secret = _labelled_expand(_KEM, pseudorandom, b"shared_secret", both, _SECRET_BYTES)
    schedule = _schedule_of(info)
    of_all = _labelled_extract(_SUITE, secret, b"secret", b"")
    return Context(
        _labelled_expand(_SUITE, of_all, b"key", schedule, _AEAD_KEY_BYTES),
        _labelled_expand(_SUITE, of_all, b"base_nonce", schedule, _AEAD_NONCE_BYTES),
        _labelled_expand(_SUITE, of_all, b"exp", schedule, _SECRET_BYTES),
    )


def _labelled_extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, _VERSION + suite + label + secret, "sha256")


def _labelled_expand(
    suite: bytes, pseudorandom: bytes, label: bytes, info: bytes, length: int
) -> bytes:
    head = length.to_bytes(2, "big") + _VERSION + suite + label
    return expand(pseudorandom, head + info, length)


# What follows from bytes alone need not be computed for each of a thousand messages a second.


@lru_cache(maxsize=8)
def _schedule_of(info: bytes) -> bytes:
    of_no_key = _labelled_extract(_SUITE, b"", b"psk_id_hash", b"")
    return _BASE + of_no_key + _labelled_extract(_SUITE, b"", b"info_hash", info)


@lru_cache(maxsize=64)
def _public(public_key: bytes) -> X25519PublicKey:
    return X25519PublicKey.from_public_bytes(public_key)


@lru_cache(maxsize=8)
def _private(private_key: bytes) -> tuple[X25519PrivateKey, bytes]:
    own = X25519PrivateKey.from_private_bytes(private_key)
    return own, own.public_key().public_bytes_raw()
