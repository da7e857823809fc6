"""Tokens of Privacy Pass, type 2: issued to who is known, shown by nobody in particular.

    host                                 issuer: its own node     the node that it is good at
    ask(key, challenge) ── request ────▶ sign(secret, request)
    finish(...) ◀────────── answer ─────
    token ─────────────────────────────────────────────────────▶ check_token(token, key, challenge)

A challenge names issuer and node: a token is good there alone. Formats are those of RFC 9577
(challenge, token) and RFC 9578 (request, answer, key). All of it is pure; `random` is a generator
whose output is fit for keys.

    key        342 B of DER: RSASSA-PSS with SHA-384, modulus of 2048 bits, e = 65537
    challenge  type u16 | len u16, issuer | len u8, context | len u16, origin
    request    type u16 | last byte of the key's id | blinded 256 B
    answer     256 B
    token      type u16 | nonce 32 B | SHA-256(challenge) | SHA-256(key) | signature 256 B
"""

import hashlib
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

import msgspec

from ei.services.relay.blind_rsa import (
    SALT_BYTES,
    BlindRsaError,
    PublicKey,
    blind,
    blind_sign,
    draw_factor,
    finalize,
    is_signed,
    private_key_of,
    verifier_of,
)
from ei.services.relay.blind_rsa import make_prime as make_prime_number

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

SECRET_BYTES = 256
REQUEST_BYTES = 259
ANSWER_BYTES = 256
TOKEN_BYTES = 354
_TYPE = b"\x00\x02"
_MODULUS_BYTES = 256
_PRIME_BYTES = 128
_BEFORE_MODULUS = bytes.fromhex(
    "30820152303d06092a864886f70d01010a3030"  # RSASSA-PSS with its parameters:
    "a00d300b0609608648016503040202"  # SHA-384,
    "a11a301806092a864886f70d010108300b0609608648016503040202"  # MGF1 of SHA-384,
    "a203020130"  # 48 B of salt
    "0382010f003082010a0282010100"
)
_AFTER_MODULUS = bytes.fromhex("0203010001")
KEY_BYTES = len(_BEFORE_MODULUS) + _MODULUS_BYTES + len(_AFTER_MODULUS)


class TokenError(Exception):
    """A key, request, answer or token is not good. Its text says what was seen and is allowed.

    Attributes:
        word: Why, for counters and refusals.
    """

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


class Challenge(msgspec.Struct, frozen=True, gc=False):
    """What a token is for.

    Attributes:
        issuer: Whose keys sign it; 1 to 65535 bytes of ASCII.
        context: 32 bytes that more must agree in, or none. Equal for all hosts, or it marks them.
        origin: Where it is good; at most 65535 bytes of ASCII.
    """

    issuer: str
    context: bytes
    origin: str

    @property
    def encoded(self) -> bytes:
        """As RFC 9577 writes it."""
        issuer, origin = self.issuer.encode("ascii"), self.origin.encode("ascii")
        return b"".join(
            (
                _TYPE,
                len(issuer).to_bytes(2, "big"),
                issuer,
                len(self.context).to_bytes(1, "big"),
                self.context,
                len(origin).to_bytes(2, "big"),
                origin,
            )
        )

    @property
    def digest(self) -> bytes:
        """What tokens have of it; 32 bytes."""
        return hashlib.sha256(self.encoded).digest()


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A token under way.

    Attributes:
        request: To the issuer.
        key: Of the issuer.
        unsigned: The token without its signature.
        inverse: What unblinds the answer; secret.
    """

    request: bytes
    key: bytes
    unsigned: bytes
    inverse: int

    def __repr__(self) -> str:
        return f"<Asked by key {key_id(self.key).hex()[:8]}>"


class Token(msgspec.Struct, frozen=True, gc=False):
    """A token as it is shown. It is spent once (key_id, nonce) is.

    Attributes:
        nonce: 32 bytes that its holder drew.
        challenge_digest: Of the challenge that it is for.
        key_id: Of the key that signed it.
        signature: 256 bytes.
    """

    nonce: bytes
    challenge_digest: bytes
    key_id: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return b"".join((_TYPE, self.nonce, self.challenge_digest, self.key_id))


# -- the issuer ----------------------------------------------------------------------------------


def make_prime(random: Random) -> bytes:
    """Return one half of a secret: 128 bytes. Takes 30 ms as a rule, but 200 ms now and then."""
    return make_prime_number(random, 8 * _PRIME_BYTES).to_bytes(_PRIME_BYTES, "big")


def make_secret(random: Random) -> bytes:
    """Return an issuer's secret: two different primes."""
    return make_prime(random) + make_prime(random)


def key_of(secret: bytes) -> bytes:
    """Return the public key of a secret."""
    p, q = _primes_of(secret)
    return _BEFORE_MODULUS + (p * q).to_bytes(_MODULUS_BYTES, "big") + _AFTER_MODULUS


def key_id(key: bytes) -> bytes:
    """Return what tokens call a key: 32 bytes. A request has only the last of them."""
    return hashlib.sha256(key).digest()


def modulus_of(key: bytes) -> int:
    """Return the modulus of a public key.

    Raises:
        TokenError: "bad_key": it is not written as here, or its modulus even or of other length.
    """
    modulus = key[len(_BEFORE_MODULUS) : -len(_AFTER_MODULUS)]
    is_one = key == _BEFORE_MODULUS + modulus + _AFTER_MODULUS and len(key) == KEY_BYTES
    if not is_one or not modulus[0] & 0x80 or not modulus[-1] & 1:
        raise TokenError(
            "bad_key", f"{len(key)} B, an odd modulus of 2048 bits in {KEY_BYTES} B of DER allowed"
        )
    return int.from_bytes(modulus, "big")


def sign(secret: bytes, request: bytes, random: Random) -> bytes:
    """Return the answer to a request.

    Raises:
        TokenError: "bad_request", or "other_key": it is for another key of the issuer.
        ArithmeticError: This machine computed wrongly; nothing is to be answered.
    """
    if len(request) != REQUEST_BYTES or not request.startswith(_TYPE):
        raise TokenError(
            "bad_request", f"{len(request)} B of type {request[:2].hex()}, 259 B of 0002 allowed"
        )
    if request[2] != key_id(key_of(secret))[-1]:
        raise TokenError("other_key", f"for a key whose id ends with {request[2]:02x}")
    try:
        return blind_sign(private_key_of(*_primes_of(secret)), request[3:], random)
    except BlindRsaError as error:
        raise TokenError("bad_request", str(error)) from None


# -- the host ------------------------------------------------------------------------------------


def ask(key: bytes, challenge: Challenge, random: Random) -> Asked:
    """Return what to ask an issuer for, and what becomes a token by its answer.

    Raises:
        TokenError: "bad_key".
    """
    return blinded_by(
        key,
        challenge,
        nonce=random.randbytes(32),
        salt=random.randbytes(SALT_BYTES),
        factor=draw_factor(_public_key_of(key), random),
    )


def blinded_by(
    key: bytes, challenge: Challenge, *, nonce: bytes, salt: bytes, factor: int
) -> Asked:
    """Return what `ask` does, of what it draws.

    Raises:
        TokenError: "bad_key".
    """
    public, name = _public_key_of(key), key_id(key)
    unsigned = Token(nonce, challenge.digest, name, b"").signed
    try:
        blinded, inverse = blind(public, unsigned, salt=salt, factor=factor)
    except BlindRsaError as error:
        raise TokenError("bad_key", str(error)) from None
    return Asked(_TYPE + name[-1:] + blinded, key, unsigned, inverse)


def finish(asked: Asked, answer: bytes) -> bytes:
    """Return the token: 354 bytes.

    Raises:
        TokenError: "bad_answer".
    """
    try:
        signature = finalize(_public_key_of(asked.key), asked.unsigned, answer, asked.inverse)
    except BlindRsaError as error:
        raise TokenError("bad_answer", str(error)) from None
    return asked.unsigned + signature


# -- where it is good ----------------------------------------------------------------------------


def read_token(token: bytes) -> Token:
    """Return the parts of a token.

    Raises:
        TokenError: "bad_token", or "bad_type".
    """
    if len(token) != TOKEN_BYTES:
        raise TokenError("bad_token", f"{len(token)} B, {TOKEN_BYTES} B allowed")
    if not token.startswith(_TYPE):
        raise TokenError("bad_type", f"type {token[:2].hex()}, 0002 allowed")
    return Token(token[2:34], token[34:66], token[66:98], token[98:])


def check_token(token: Token, key: bytes, challenge: Challenge) -> None:
    """Return if the key's owner issued it for this challenge.

    Raises:
        TokenError: "unknown_key": another signed it; "token_elsewhere": it is for another
            challenge; "bad_signature"; "bad_key": of the key, not the token.
    """
    if token.key_id != key_id(key):
        raise TokenError("unknown_key", f"signed by key {token.key_id.hex()[:8]}")
    if token.challenge_digest != challenge.digest:
        raise TokenError("token_elsewhere", f"not for {challenge.origin} by {challenge.issuer}")
    if not is_signed(_verifier_of(key), token.signed, token.signature):
        raise TokenError("bad_signature", f"not signed by key {token.key_id.hex()[:8]}")


def _primes_of(secret: bytes) -> tuple[int, int]:
    return int.from_bytes(secret[:_PRIME_BYTES], "big"), int.from_bytes(
        secret[_PRIME_BYTES:], "big"
    )


@lru_cache(maxsize=64)
def _verifier_of(key: bytes) -> "rsa.RSAPublicKey":
    return verifier_of(_public_key_of(key))


def _public_key_of(key: bytes) -> PublicKey:
    return PublicKey(modulus_of(key))
