"""Blind RSA signatures: who signs learns neither the message nor the signature (RFC 9474).

    holder                                        signer
    message, salt ── PSS with SHA-384 ──▶ m
    m · rᵉ mod n ─────────── blinded ───────────▶ (m · rᵉ)ᵈ = mᵈ · r
    mᵈ · r · r⁻¹ = mᵈ ◀────── answer ────────────

r is uniform, and as long as e has no factor in common with the order of the group, so is rᵉ: then
blinded and answer are the same to the signer for every message there is. A key that a signer makes
otherwise, with e a divisor of p - 1, signs one message of e alone: with e = 65537, and no other is
taken here, its holders find out at once, so that a key needs no proof.

Pure; `random` is a generator whose output is fit for keys.
"""

import hashlib
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import gmpy2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EXPONENT = 65537
SALT_BYTES = 48
_DIGEST_BYTES = 48
_CONFIDENCE = 40
"""Of the test for primes: rounds after the first of Baillie, Pomerance, Selfridge and Wagstaff."""


class BlindRsaError(Exception):
    """What came from the other end is not what it is to be: seen and allowed."""


class PublicKey(NamedTuple):
    """A modulus and the exponent."""

    n: int
    e: int = EXPONENT

    @property
    def length(self) -> int:
        """Of the modulus, of what is blinded and of a signature; bytes."""
        return (self.n.bit_length() + 7) // 8


class PrivateKey(NamedTuple):
    """The primes, and what follows from them: exponents below each, and q⁻¹ mod p."""

    p: int
    q: int
    d_p: int
    d_q: int
    q_inverse: int
    public: PublicKey


class Blinded(NamedTuple):
    """What the signer gets, and what its answer is unblinded by."""

    blinded: bytes
    inverse: int


def private_key_of(p: int, q: int) -> PrivateKey:
    """Return the key of two primes; see `make_prime`."""
    return PrivateKey(
        p,
        q,
        d_p=int(gmpy2.invert(EXPONENT, p - 1)),
        d_q=int(gmpy2.invert(EXPONENT, q - 1)),
        q_inverse=int(gmpy2.invert(q, p)),
        public=PublicKey(p * q),
    )


def make_prime(random: Random, bits: int = 1024) -> int:
    """Return a prime for a key. Two of them make a modulus of exactly `2 * bits`."""
    top = 3 << bits - 2
    while True:
        candidate = random.getrandbits(bits) | top | 1
        if candidate % EXPONENT != 1 and gmpy2.is_prime(candidate, _CONFIDENCE):
            return candidate


def prepare(message: bytes, random: Random) -> bytes:
    """Return the message with 32 random bytes before it, for messages that could be guessed."""
    return random.randbytes(32) + message


def draw_factor(key: PublicKey, random: Random) -> int:
    """Return a factor to blind by, uniform among those that have an inverse."""
    while True:
        factor = random.getrandbits(key.n.bit_length())
        if factor < key.n and gmpy2.gcd(factor, key.n) == 1:
            return factor


def blind(key: PublicKey, message: bytes, *, salt: bytes, factor: int) -> Blinded:
    """Return what to send to the signer of a message.

    Args:
        key: The signer's.
        message: As it will be shown; holds at least 32 random bytes (see `prepare`).
        salt: `SALT_BYTES` random bytes, or none.
        factor: As `draw_factor` returns it; used once.

    Raises:
        BlindRsaError: The key is none of two large primes.
    """
    encoded = int.from_bytes(_encode(message, key.n.bit_length() - 1, salt), "big")
    if gmpy2.gcd(encoded, key.n) != 1:
        raise BlindRsaError("the modulus has a small factor: it is to have two of the same length")
    blinded = encoded * gmpy2.powmod(factor, key.e, key.n) % key.n
    return Blinded(_written(blinded, key), int(gmpy2.invert(factor, key.n)))


def blind_sign(key: PrivateKey, blinded: bytes, random: Random) -> bytes:
    """Return the answer to what a holder blinded.

    Runs in a time that depends neither on the key nor, since a factor of its own hides it, on what
    is signed.

    Raises:
        BlindRsaError: It has another length than the modulus, or is not below it.
        ArithmeticError: This machine computed wrongly; what came out would give the key away.
    """
    n, e = key.public
    value = int.from_bytes(blinded, "big")
    if len(blinded) != key.public.length or value >= n:
        raise BlindRsaError(
            f"{len(blinded)} B blinded, {key.public.length} B and a value below the modulus allowed"
        )
    factor = draw_factor(key.public, random)
    hidden = value * gmpy2.powmod(factor, e, n) % n
    modulo_p = gmpy2.powmod_sec(hidden % key.p, key.d_p, key.p)
    modulo_q = gmpy2.powmod_sec(hidden % key.q, key.d_q, key.q)
    signed = modulo_q + key.q * ((modulo_p - modulo_q) * key.q_inverse % key.p)
    answer = signed * gmpy2.invert(factor, n) % n
    if gmpy2.powmod(answer, e, n) != value:
        raise ArithmeticError("a signature that does not verify was computed from a valid key")
    return _written(answer, key.public)


def finalize(
    key: PublicKey, message: bytes, answer: bytes, inverse: int, *, salt_bytes: int = SALT_BYTES
) -> bytes:
    """Return the signature of a message.

    Args:
        key: The signer's.
        message: As it was blinded.
        answer: What the signer returned.
        inverse: Of what was blinded.
        salt_bytes: Length of the salt.

    Raises:
        BlindRsaError: The answer is none to what was blinded, or by another key.
    """
    value = int.from_bytes(answer, "big")
    if len(answer) != key.length or value >= key.n:
        raise BlindRsaError(
            f"{len(answer)} B answered, {key.length} B and a value below the modulus allowed"
        )
    signature = _written(value * inverse % key.n, key)
    if not verify(key, message, signature, salt_bytes=salt_bytes):
        raise BlindRsaError("the answer does not sign what was blinded by this key")
    return signature


def verify(
    key: PublicKey, message: bytes, signature: bytes, *, salt_bytes: int = SALT_BYTES
) -> bool:
    """Return whether it is the key's signature over exactly the message."""
    return is_signed(verifier_of(key), message, signature, salt_bytes=salt_bytes)


def verifier_of(key: PublicKey) -> rsa.RSAPublicKey:
    """Return what verifies by a key; to be kept where many signatures are verified by one."""
    return rsa.RSAPublicNumbers(key.e, key.n).public_key()


def is_signed(
    verifier: rsa.RSAPublicKey, message: bytes, signature: bytes, *, salt_bytes: int = SALT_BYTES
) -> bool:
    """Return what `verify` does."""
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), salt_bytes)
    try:
        verifier.verify(signature, message, pss, hashes.SHA384())
    except InvalidSignature:
        return False
    return True


def _encode(message: bytes, bits: int, salt: bytes) -> bytes:
    """Return EMSA-PSS of RFC 8017 9.1.1: below 2^bits, padded and masked, its digest at its end."""
    length = (bits + 7) // 8
    digest = hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt).digest()
    block = (b"\x01" + salt).rjust(length - _DIGEST_BYTES - 1, b"\0")
    masked = bytes(a ^ b for a, b in zip(block, _mask(digest), strict=False))
    first = masked[0] & 0xFF >> 8 * length - bits
    return bytes((first,)) + masked[1:] + digest + b"\xbc"


def _mask(seed: bytes) -> Iterator[int]:
    """Yield the bytes of MGF1, RFC 8017 B.2.1, as many as are taken."""
    counter = 0
    while True:
        yield from hashlib.sha384(seed + counter.to_bytes(4, "big")).digest()
        counter += 1


def _written(value: int | gmpy2.mpz, key: PublicKey) -> bytes:
    return int(value).to_bytes(key.length, "big")
