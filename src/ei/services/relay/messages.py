"""What hosts and nodes say of circuits and tokens.

Between peers, as control messages:

    host ── Sign ──▶ its node ── Signed ──▶ host                    tokens that it cannot recognise
    host or node ── AskKeys ──▶ ... ──▶ issuer ── IssuerKeys ──▶    which keys it signs them by
    node ── Ended ──▶ the one before ──▶ ... ──▶ host               why a circuit is none any more

Inside of a circuit, sealed from host to exit, each stream begins with

    there   length u16 little-endian | opening | the host's bytes ...
    back    length u16 little-endian | status  | the server's bytes ...

All are msgpack arrays; fields are only ever appended.
"""

import hashlib
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from ei.sdk import Address, Legacy

T = TypeVar("T")

LENGTH_BYTES = 2
MAX_STATUS_BYTES = 1_024
MAX_DETAIL = 400
GRANT_BYTES = 16
MAX_KEYS = 2
"""That are valid at once: the one that signs, and the one before."""
MAX_REQUESTS = 8
MAX_ASK_HOPS = 16

Node = Annotated[Address, Meta(min_length=16, max_length=16)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Eight = Annotated[bytes, Meta(min_length=8, max_length=8)]
Word = Annotated[str, Meta(max_length=48, pattern=r"^[a-z_]*\Z")]
KeyName = Annotated[bytes, Meta(max_length=32)]


# -- between peers --------------------------------------------------------------------------------


class AskKeys(msgspec.Struct, frozen=True, array_like=True, tag=0, forbid_unknown_fields=True):
    """Which keys does the issuer sign tokens by? From a host of it, or from a node of anybody's.

    Attributes:
        issuer: A node.
        hops: That the question may still go on, from node to node.
    """

    issuer: Node
    hops: Annotated[int, Meta(ge=0, le=MAX_ASK_HOPS)] = MAX_ASK_HOPS


class IssuerKeys(msgspec.Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """What the issuer states: the same to everybody, else it could tell hosts apart by it.

    Attributes:
        issuer: Who has signed it.
        body: A list of `Validity`, as `write_keys` writes it.
        identity_key: That the issuer's address names.
        signature: The issuer's, as of every statement of a node.
    """

    issuer: Node
    body: Annotated[bytes, Meta(max_length=2_048)]
    identity_key: Annotated[bytes, Meta(max_length=32)]
    signature: Annotated[bytes, Meta(max_length=64)]


class Sign(msgspec.Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    """Host to its node: sign these.

    Attributes:
        number: Of the question, for the answer.
        requests: Blinded, each a `TokenRequest` of RFC 9578; up to 8.
    """

    number: Number
    requests: Annotated[
        tuple[Annotated[bytes, Meta(max_length=512)], ...], Meta(max_length=MAX_REQUESTS)
    ]


class Signed(msgspec.Struct, frozen=True, array_like=True, tag=3, forbid_unknown_fields=True):
    """The answer to `Sign`.

    Attributes:
        number: That of the question.
        answers: One for each request, in their order; none when there is a word.
        word: Why not: `quota`, `no_key`, `bad_request` or `other_key`; else empty.
    """

    number: Number
    answers: Annotated[
        tuple[Annotated[bytes, Meta(max_length=512)], ...], Meta(max_length=MAX_REQUESTS)
    ] = ()
    word: Word = ""


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=4, forbid_unknown_fields=True):
    """A circuit is none any more; to who stands before it, or by a host that has closed it.

    Attributes:
        source: As in the packets of the circuit between these two: the host, or its pseudonym.
        connection: The same, the highest byte first.
        exit: Where it goes.
        word: A drop reason, `hop_lost`, or `closed`.
    """

    source: Node
    connection: Eight
    exit: Node
    word: Word


class Validity(msgspec.Struct, frozen=True, array_like=True):
    """A key that tokens are signed by, and how long they are good.

    Attributes:
        key: As RFC 9578 writes it.
        end_unix_s: When tokens of it are refused, in seconds of the wall clock.
    """

    key: Annotated[bytes, Meta(max_length=512)]
    end_unix_s: Annotated[int, Meta(ge=0, le=2**40)]


_KEYS: msgspec.msgpack.Decoder[tuple[Validity, ...]] = msgspec.msgpack.Decoder(
    Annotated[tuple[Validity, ...], Meta(max_length=MAX_KEYS)]
)


def write_keys(keys: tuple[Validity, ...]) -> bytes:
    """Return the body of `IssuerKeys`, the key that signs now first."""
    return msgspec.msgpack.encode(keys)


def read_keys(body: bytes) -> tuple[Validity, ...]:
    """Return what the body of `IssuerKeys` says.

    Raises:
        ValueError: It is none; names the field that is wrong.
    """
    return _read(body, _KEYS, "a list of keys")


# -- inside of a circuit --------------------------------------------------------------------------


class KeysOf(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Which keys of the issuer do you know? So a host sees that it was told of the same.

    Attributes:
        issuer: A node.
        key_id: Of the key that the host was told of: when it is not among them, the issuer is asked
            again before the answer.
    """

    issuer: Node
    key_id: KeyName


class Admission(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Carry my streams, for this.

    Attributes:
        issuer: Who has signed the token.
        token: As RFC 9578 writes it.
    """

    issuer: Node
    token: Annotated[bytes, Meta(max_length=512)]


class To(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Go on to a server.

    Attributes:
        target: Of the legacy Internet.
        grant: What was granted on this circuit, as `grant_of_token` names it: nobody else can say
            it, not even a node that has seen the circuit's packets.
    """

    target: Legacy
    grant: Annotated[bytes, Meta(max_length=GRANT_BYTES)] = b""


Opening = KeysOf | Admission | To


class Status(msgspec.Struct, frozen=True, array_like=True):
    """What became of an opening; said once, before all bytes.

    Attributes:
        word: Empty when it is as was asked for; else why not.
        detail: A sentence for people.
        keys: Answer to `KeysOf`: the names of the keys that are known.
        lasts_s: Answer to `Admission`: for how long new streams are carried.
    """

    word: str
    detail: Annotated[str, Meta(max_length=MAX_DETAIL)] = ""
    keys: Annotated[tuple[KeyName, ...], Meta(max_length=2 * MAX_KEYS)] = ()
    lasts_s: Annotated[int, Meta(ge=0, le=2**32)] = 0


OPEN = Status("")

_OPENINGS: msgspec.msgpack.Decoder[Opening] = msgspec.msgpack.Decoder(Opening)
_STATUSES = msgspec.msgpack.Decoder(Status)


def grant_of_token(token: bytes) -> bytes:
    """Return the name of what is granted for a token."""
    return hashlib.sha256(token).digest()[:GRANT_BYTES]


def write_opening(opening: Opening) -> bytes:
    """Return the bytes, without the length before them."""
    return msgspec.msgpack.encode(opening)


def read_opening(opening: bytes) -> Opening:
    """Return what the bytes of an opening say.

    Raises:
        ValueError: They are none; names the field that is wrong.
    """
    return _read(opening, _OPENINGS, "an opening of the relay")


def write_status(status: Status) -> bytes:
    """Return the bytes, with the length before them."""
    encoded = msgspec.msgpack.encode(status)
    return len(encoded).to_bytes(LENGTH_BYTES, "little") + encoded


def read_status(encoded: bytes) -> Status:
    """Return the status that the bytes are, without the length before them.

    Raises:
        ValueError: They are none.
    """
    return _read(encoded, _STATUSES, "a status of the relay")


def _read(encoded: bytes, decoder: msgspec.msgpack.Decoder[T], name: str) -> T:
    try:
        return decoder.decode(encoded)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not {name}: {error}") from error
