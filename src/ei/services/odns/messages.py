"""Where messages of RFC 9230 go, what is beside them, and the question of a DNS message.

    metadata    ask    0 u8 | target 16 B                   host to proxy; opens a stream, too
                pass   1 u8 | target 16 B | proxy 16 B      proxy to target, by nodes between
                back   2 u8 | proxy 16 B                    target to proxy, by nodes between
                back   2 u8                                 proxy to host

    payload     type u8 | ...: 1 query and 2 response are those of RFC 9230
                128 keys wanted, anew u8 (to the proxy alone), zeros to the length of a query
                129 keys: msgpack of the node's statement, whose body is msgpack of `Keys`
                130 refused: word in ASCII

The proxy makes packets of its own: their source is nobody, their connection drawn for each, and
nothing else is the host's. On a stream each payload has its length before it, u16 big-endian.
"""

from enum import IntEnum

import msgspec

from ei.sdk import Address, Connection, NodeStatement, Packet

ODNS = 66
LENGTH_BYTES = 2
KEYS_WANTED, KEYS, REFUSED = 128, 129, 130

QUERY_PLAINTEXT_BYTES = 384
"""Of a query, with all its lengths; longer ones take multiples of `QUERY_STEP_BYTES`."""

QUERY_STEP_BYTES = 128
QUERY_BYTES = 469
"""Of the payload with a query of `QUERY_PLAINTEXT_BYTES`."""

ANSWER_STEP_BYTES = 468
"""As RFC 8467 recommends for responses."""

MAX_ANSWER_BYTES = 1_236
"""Of a plaintext that a packet takes."""

_HEADER_BYTES = 12
_KIND_AND_CLASS_BYTES = 4
_MAX_LABEL = 63
_MAX_NAME = 255
_QR_AND_OPCODE = 0xF8
_RCODE = 0x0F


class Kind(IntEnum):
    """Where a packet is on its way."""

    ASK = 0
    PASS = 1
    BACK = 2


class Way(msgspec.Struct, frozen=True, gc=False):
    """What metadata say.

    Attributes:
        target: Of a question.
        proxy: Who passed it on, and gets the answer.
    """

    kind: Kind
    target: Address = Address(b"")
    proxy: Address = Address(b"")


class Keys(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a target states of its keys.

    Attributes:
        expires_unix_s: So long it opens what is sealed to them.
        configs: ObliviousDoHConfigs of RFC 9230, the preferred one first.
    """

    expires_unix_s: int
    configs: bytes


def ask(target: Address) -> bytes:
    """Return the metadata of a host's packet."""
    return bytes((Kind.ASK,)) + target


def pass_on(target: Address, proxy: Address) -> bytes:
    """Return the metadata of a proxy's packet."""
    return bytes((Kind.PASS,)) + target + proxy


def back(proxy: bytes = b"") -> bytes:
    """Return the metadata of an answer: to a proxy, or from it to the host."""
    return bytes((Kind.BACK,)) + proxy


def read_way(metadata: bytes) -> Way | None:
    """Return what metadata say; `None` when they say nothing."""
    first, second = metadata[1:17], metadata[17:33]
    match metadata[:1], len(metadata):
        case b"\x00", 17:
            return Way(Kind.ASK, Address(first))
        case b"\x01", 33:
            return Way(Kind.PASS, Address(first), Address(second))
        case b"\x02", 17:
            return Way(Kind.BACK, proxy=Address(first))
        case b"\x02", 1:
            return Way(Kind.BACK)
        case _:
            return None


def keys_wanted(*, is_anew: bool = False) -> bytes:
    """Return the payload that asks for keys, as long as a query.

    Args:
        is_anew: Those that the proxy knows are of no use any more.
    """
    return bytes((KEYS_WANTED, is_anew)).ljust(QUERY_BYTES, b"\0")


def is_wanted_anew(payload: bytes) -> bool:
    """Return whether a payload asks for other keys than the proxy knows."""
    return payload[:2] == bytes((KEYS_WANTED, 1))


def keys(statement: NodeStatement) -> bytes:
    """Return the payload that tells them."""
    return bytes((KEYS,)) + msgspec.msgpack.encode(statement)


def read_keys(payload: bytes, *, node: Address) -> Keys:
    """Return what a node has stated of its keys.

    Raises:
        ValueError: It did not, or another did.
    """
    try:
        statement = msgspec.msgpack.decode(payload[1:], type=NodeStatement)
        told = msgspec.msgpack.decode(statement.body, type=Keys)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no statement of keys: {error}") from error
    if (statement.node, statement.service) != (node, ODNS) or not statement.is_true():
        raise ValueError("keys that the target has not signed")
    return told


def refused(word: str) -> bytes:
    """Return the payload that refuses."""
    return bytes((REFUSED,)) + word.encode()


def read_refusal(payload: bytes) -> str | None:
    """Return the word of a refusal; `None` when it is none."""
    word = payload[1:]
    if payload[:1] != bytes((REFUSED,)) or not word.isascii() or len(word) > _MAX_LABEL:
        return None
    return word.decode()


def answer_plaintext_bytes(dns_bytes: int) -> int:
    """Return to how many bytes the answer is padded that has a message of so many."""
    steps = -(-(dns_bytes + 2 * LENGTH_BYTES) // ANSWER_STEP_BYTES)
    padded = steps * ANSWER_STEP_BYTES
    if padded > MAX_ANSWER_BYTES >= dns_bytes + 2 * LENGTH_BYTES:
        return MAX_ANSWER_BYTES
    return padded


def query_plaintext_bytes(dns_bytes: int) -> int:
    """Return to how many bytes the query is padded that has a message of so many."""
    over = max(0, dns_bytes + 2 * LENGTH_BYTES - QUERY_PLAINTEXT_BYTES)
    return QUERY_PLAINTEXT_BYTES + -(-over // QUERY_STEP_BYTES) * QUERY_STEP_BYTES


def question_of(dns: bytes) -> bytes | None:
    """Return the bytes of the one question of a query; `None` when it is no such message."""
    if len(dns) <= _HEADER_BYTES or dns[2] & _QR_AND_OPCODE or dns[4:6] != b"\0\1":
        return None
    at = _HEADER_BYTES
    while at < len(dns) and dns[at]:
        if dns[at] > _MAX_LABEL:
            return None
        at += 1 + dns[at]
    end = at + 1 + _KIND_AND_CLASS_BYTES
    is_whole = end <= len(dns) and at - _HEADER_BYTES < _MAX_NAME
    return dns[_HEADER_BYTES:end] if is_whole else None


def answers(dns: bytes, question: bytes) -> bool:
    """Return whether a message of a server answers a question, whatever its number.

    A server that could not read the question says so without one.
    """
    if len(dns) < _HEADER_BYTES or not dns[2] & 0x80:
        return False
    if dns[4:6] == b"\0\0":
        return bool(dns[3] & _RCODE) and len(dns) == _HEADER_BYTES
    return dns[4:6] == b"\0\1" and dns.startswith(question, _HEADER_BYTES)


def packet_of(source: Address, connection: int, metadata: bytes, payload: bytes) -> Packet:
    """Return a packet that has nothing of another: class, hop limit and marks are as always."""
    number = Connection(connection)
    return Packet(ODNS, source, source, number, metadata, payload, is_covered=True)
