"""Messages of Oblivious DNS over HTTPS, without the HTTPS: sealed questions and sealed answers.

    message     type u8 | key id or nonce <u16> | sealed <u16>
    plaintext   DNS message <u16> | padding <u16>, zeros
    configs     <u16> of: version u16 | contents <u16>: KEM u16 | KDF u16 | AEAD u16 | key <u16>

Numbers are big-endian here, as in the RFC; `<u16>` is a length and so many bytes. Source: RFC 9230,
with the one suite of HPKE that all must have.
"""

import hmac

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ei.sdk.hpke import ENC_BYTES, KEY_BYTES, open_from, seal_to

QUERY, RESPONSE = 1, 2
KEY_ID_BYTES = 32
NONCE_BYTES = 16
"""Of a response: the longer of the AEAD's key and nonce."""

_VERSION = 1
_SUITE_NUMBERS = bytes.fromhex("002000010001")
_AEAD_KEY_BYTES, _AEAD_NONCE_BYTES = 16, 12
_TAG_BYTES = 16
_LENGTH = 2
_HEAD = 1
_INFO, _PURPOSE = b"odoh query", b"odoh response"
PLAINTEXT_OVERHEAD = 2 * _LENGTH
RESPONSE_OVERHEAD = _HEAD + _LENGTH + NONCE_BYTES + _LENGTH + _TAG_BYTES


KeyPair = tuple[bytes, bytes]
"""Private and public key, X25519, 32 bytes each."""


class Configuration(msgspec.Struct, frozen=True, gc=False):
    """A target's public key, and how queries are sealed to it.

    Attributes:
        public_key: X25519, 32 bytes.
        contents: As it is written.
        key_id: What queries name it by, a hash of it; 32 bytes.
    """

    public_key: bytes
    contents: bytes
    key_id: bytes


class Answering(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All that is needed to seal one answer, or to open it.

    Attributes:
        key, iv: Of AES-128-GCM; for this answer alone.
        nonce: Of the response, 16 bytes, of which they were made.
    """

    key: bytes
    iv: bytes
    nonce: bytes


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a client keeps of a query until its answer is there.

    Attributes:
        secret: Exported by HPKE, 16 bytes.
        plaintext: Of the query.
    """

    secret: bytes
    plaintext: bytes


class Query(msgspec.Struct, frozen=True, gc=False):
    """A query as it is on the way.

    Attributes:
        key_id: Of the configuration.
        enc: HPKE's encapsulated key, 32 bytes: another for each query.
        sealed: Plaintext and tag.
    """

    key_id: bytes
    enc: bytes
    sealed: bytes


# -- configurations ------------------------------------------------------------------------------


def configuration(public_key: bytes) -> Configuration:
    """Return the configuration of a key."""
    contents = _SUITE_NUMBERS + _sized(public_key)
    key_id = _expand(_extract(b"", contents), b"odoh key id", KEY_ID_BYTES)
    return Configuration(public_key, contents, key_id)


def write_configs(configs: tuple[Configuration, ...]) -> bytes:
    """Return ObliviousDoHConfigs, the preferred one first."""
    each = (_VERSION.to_bytes(2, "big") + _sized(config.contents) for config in configs)
    return _sized(b"".join(each))


def read_configs(written: bytes) -> tuple[Configuration, ...]:
    """Return those that are understood here, in their order.

    Raises:
        ValueError: It is no list of configurations.
    """
    found: list[Configuration] = []
    rest = _whole(written)
    while rest:
        version, (contents, rest) = rest[:2], _taken(rest[2:])
        if version != _VERSION.to_bytes(2, "big"):
            continue
        numbers, key = contents[: len(_SUITE_NUMBERS)], _whole(contents[len(_SUITE_NUMBERS) :])
        if numbers == _SUITE_NUMBERS and len(key) == KEY_BYTES:
            found.append(configuration(key))
    return tuple(found)


# -- queries -------------------------------------------------------------------------------------


def seal_query(
    config: Configuration, dns: bytes, *, plaintext_bytes: int, seed: bytes
) -> tuple[bytes, Asked]:
    """Return a query, and what opens its answer.

    Args:
        config: Of the target.
        dns: Message, 1 byte at least.
        plaintext_bytes: Message, padding and their lengths are so long at least.
        seed: 32 secret bytes, never the same twice: the private key of this query.
    """
    plaintext = _padded(dns, plaintext_bytes)
    head = bytes((QUERY,)) + _sized(config.key_id)
    enc, sealed, secret = seal_to(
        config.public_key, plaintext, info=_INFO, additional=head, purpose=_PURPOSE, seed=seed
    )
    return head + _sized(enc + sealed), Asked(secret, plaintext)


def read_query(message: bytes) -> Query:
    """Return the parts of a query.

    Raises:
        ValueError: It is none.
    """
    key_id, rest = _parts(message, QUERY)
    if len(rest) <= ENC_BYTES + _TAG_BYTES:
        raise ValueError(f"{len(rest)} B sealed: too short for a query")
    return Query(key_id, rest[:ENC_BYTES], rest[ENC_BYTES:])


def open_query(query: Query, keys: KeyPair, nonce: bytes) -> tuple[bytes, Answering]:
    """Return the DNS message of a query, and what seals its answer.

    Args:
        keys: Of the configuration that the query names.
        nonce: Of the answer, 16 bytes, drawn for it.

    Raises:
        ValueError: It was sealed to another key, changed on the way, or holds no message.
    """
    head = bytes((QUERY,)) + _sized(query.key_id)
    opened = open_from(
        *keys, query.enc, query.sealed, info=_INFO, additional=head, purpose=_PURPOSE
    )
    if opened is None:
        raise ValueError("does not open with this key")
    plaintext, secret = opened
    return _message_of(plaintext), answering(Asked(secret, plaintext), nonce)


# -- answers -------------------------------------------------------------------------------------


def answering(asked: Asked, nonce: bytes) -> Answering:
    """Return what seals and opens the answer with this nonce."""
    pseudorandom = _extract(asked.plaintext + _sized(nonce), asked.secret)
    key = _expand(pseudorandom, b"odoh key", _AEAD_KEY_BYTES)
    return Answering(key, _expand(pseudorandom, b"odoh nonce", _AEAD_NONCE_BYTES), nonce)


def seal_answer(by: Answering, dns: bytes, *, plaintext_bytes: int) -> bytes:
    """Return a response; see `seal_query`."""
    head = bytes((RESPONSE,)) + _sized(by.nonce)
    sealed = AESGCM(by.key).encrypt(by.iv, _padded(dns, plaintext_bytes), head)
    return head + _sized(sealed)


def open_answer(asked: Asked, message: bytes) -> bytes:
    """Return the DNS message of a response.

    Raises:
        ValueError: It answers another query, was changed on the way, or is none.
    """
    nonce, sealed = _parts(message, RESPONSE)
    by = answering(asked, nonce)
    head = bytes((RESPONSE,)) + _sized(nonce)
    try:
        return _message_of(AESGCM(by.key).decrypt(by.iv, sealed, head))
    except InvalidTag as error:
        raise ValueError("does not open as the answer to this query") from error


# -- parts: HKDF with SHA-256 (RFC 5869) ---------------------------------------------------------


def _extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, secret, "sha256")


def _expand(pseudorandom: bytes, info: bytes, length: int) -> bytes:
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")[:length]


# -- parts ---------------------------------------------------------------------------------------


def _padded(dns: bytes, plaintext_bytes: int) -> bytes:
    padding = max(0, plaintext_bytes - len(dns) - PLAINTEXT_OVERHEAD)
    return _sized(dns) + _sized(bytes(padding))


def _message_of(plaintext: bytes) -> bytes:
    dns, rest = _taken(plaintext)
    padding = _whole(rest)
    if not dns or padding != bytes(len(padding)):
        raise ValueError("a plaintext with no message, or with something in its padding")
    return dns


def _parts(message: bytes, kind: int) -> tuple[bytes, bytes]:
    if message[:1] != bytes((kind,)):
        raise ValueError(f"a message of type {message[:1].hex() or 'none'}, {kind} expected")
    named, rest = _taken(message[1:])
    return named, _whole(rest)


def _sized(piece: bytes) -> bytes:
    return len(piece).to_bytes(_LENGTH, "big") + piece


def _taken(written: bytes) -> tuple[bytes, bytes]:
    end = _LENGTH + int.from_bytes(written[:_LENGTH], "big")
    if not _LENGTH <= end <= len(written):
        raise ValueError(f"{len(written)} B where {end} B are announced")
    return written[_LENGTH:end], written[end:]


def _whole(written: bytes) -> bytes:
    piece, rest = _taken(written)
    if rest:
        raise ValueError(f"{len(rest)} B behind the end")
    return piece
