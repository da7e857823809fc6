"""The fields of one datagram, as far as it can be read. Pure.

What is sealed stays bytes, except where the flag OPENED says that our own tap wrote the header in
plaintext; that flag exists in capture files only. Layouts: docs/reference/wire.md.
"""

from typing import NamedTuple

from ei.dissector.end_to_end import end_to_end
from ei.dissector.fields import Field
from ei.dissector.messages import control_message
from ei.dissector.walk import Malformed, Walk

WIRE_VERSION = 1
PORT = 3535
PREFIX_BYTES = 16
TAG_BYTES = 16
MAC_BYTES = 16
SMALLEST_INITIATION_BYTES = 1_200
COOKIE_BYTES = 56
RESPONSE_NOISE_AT = 12
CONTROL_SERVICE = 1
CONTROL_METADATA_BYTES = 13

TYPES = {1: "initiation", 2: "response", 3: "cookie", 4: "data"}
PROTECTIONS = {0: "none", 1: "datagrams", 2: "streams", 3: "groups", 4: "packed"}


def is_ours(datagram: bytes, ports: tuple[int, int]) -> bool:
    """Whether a UDP datagram between `ports` is ours: by port, or by first bytes and length."""
    if PORT in ports:
        return bool(datagram)
    total = len(datagram)
    if total < PREFIX_BYTES + TAG_BYTES or datagram[0] >> 4 != WIRE_VERSION:
        return False
    length = int.from_bytes(datagram[2:4], "little")
    fits = {
        "initiation": total >= SMALLEST_INITIATION_BYTES,
        "response": total == RESPONSE_NOISE_AT + length + MAC_BYTES,
        "cookie": total == COOKIE_BYTES,
        "data": TAG_BYTES <= length <= total - PREFIX_BYTES,
    }
    return fits.get(TYPES.get(datagram[0] & 0x0F, ""), False)


def dissect(datagram: bytes, *, comment: str = "") -> list[Field]:
    """Return the fields of one datagram in the order of its bytes, as far as it can be read.

    Args:
        datagram: UDP payload, any bytes. What cannot be read ends in the field `ei.malformed`, with
            the word under which a datapath would count it.
        comment: The packet's comment in the capture; our tap writes `fate=... reason=...`.
    """
    walk = Walk(datagram)
    try:
        _datagram(walk)
    except Malformed as malformed:
        walk.note("ei.malformed", malformed.reason)
    words = dict(word.split("=", 1) for word in comment.split() if "=" in word)
    if "fate" in words:
        walk.note("ei.fate", words["fate"])
    if "reason" in words:
        walk.note("ei.drop_reason", words["reason"])
    return walk.fields


def _datagram(walk: Walk) -> None:
    version, kind = walk.nibbles("ei.version", "ei.type")
    if version != WIRE_VERSION:
        raise Malformed("unknown_version")
    match TYPES.get(kind):
        case "initiation":
            _initiation(walk)
        case "response":
            _response(walk)
        case "cookie":
            _cookie(walk)
        case "data":
            _data(walk)
        case _:
            raise Malformed("unknown_type")


def _initiation(walk: Walk) -> None:
    if walk.left + 1 < SMALLEST_INITIATION_BYTES:
        raise Malformed("unpadded_initiation")
    _ = walk.take("ei.suite", 1)
    message_bytes = walk.number("ei.handshake_length", 2)
    _ = walk.take("ei.sender_index", 4)
    _ = walk.take("ei.offered_suites", 4)
    if message_bytes > walk.left - 2 * MAC_BYTES:
        raise Malformed("truncated")
    _ = walk.take("ei.handshake", message_bytes)
    _ = walk.take("ei.padding", walk.left - 2 * MAC_BYTES)
    _ = walk.take("ei.mac1", MAC_BYTES)
    _ = walk.take("ei.mac2", MAC_BYTES)


def _response(walk: Walk) -> None:
    _ = walk.take("ei.suite", 1)
    message_bytes = walk.number("ei.handshake_length", 2)
    _ = walk.take("ei.sender_index", 4)
    _ = walk.take("ei.receiver_index", 4)
    if message_bytes > walk.left - MAC_BYTES:
        raise Malformed("truncated")
    _ = walk.take("ei.handshake", message_bytes)
    _ = walk.take("ei.padding", walk.left - MAC_BYTES)
    _ = walk.take("ei.mac1", MAC_BYTES)


def _cookie(walk: Walk) -> None:
    if walk.left + 1 != COOKIE_BYTES:
        raise Malformed("truncated")
    if any(walk.take("ei.reserved", 3)):
        raise Malformed("unknown_flags")
    _ = walk.take("ei.receiver_index", 4)
    _ = walk.take("ei.cookie.nonce", 16)
    _ = walk.take("ei.cookie.sealed", 16)
    _ = walk.take("ei.cookie.tag", TAG_BYTES)


COVERED = 0x01
OPENED = 0x80


def _data(walk: Walk) -> None:
    flags = walk.number("ei.flags", 1)
    walk.bits(flags, {"ei.flags.covered": COVERED, "ei.flags.opened": OPENED})
    if flags & ~(COVERED | OPENED):
        raise Malformed("unknown_flags")
    sealed_bytes = walk.number("ei.sealed_length", 2)
    index = walk.number("ei.receiver_index", 4)
    walk.note("ei.lane", str(index & 0x0F))
    _ = walk.take("ei.counter", 8)
    if not TAG_BYTES <= sealed_bytes <= walk.left:
        raise Malformed("truncated")
    after_bytes = walk.left - sealed_bytes
    if flags & COVERED and after_bytes:
        raise Malformed("trailing_bytes")
    if not flags & OPENED:
        _ = walk.take("ei.sealed", sealed_bytes - TAG_BYTES)
        _ = walk.take("ei.tag", TAG_BYTES)
        _ = walk.take("ei.payload", after_bytes)
        return
    header = _header(walk, end=after_bytes + TAG_BYTES)
    if flags & COVERED:
        payload = _payload(walk, header.payload_bytes, end=TAG_BYTES)
        _ = walk.take("ei.tag", TAG_BYTES)
    else:
        _ = walk.take("ei.padding", walk.left - after_bytes - TAG_BYTES)
        _ = walk.take("ei.tag", TAG_BYTES)
        payload = _payload(walk, header.payload_bytes, end=0)
    if header.message_for:
        control_message(walk, payload, header.message_for)
    if PROTECTIONS[header.protection] == "datagrams":
        end_to_end(walk.within(payload))


ORIGIN = 0x1
TRACED = 0x2
HEADER_BYTES = 20
SOURCE_BYTES = 16


class Header(NamedTuple):
    """What a header says of what follows it.

    Attributes:
        message_for: Service whose control message the payload may be; 0 when it is none, or one
            of several fragments.
    """

    payload_bytes: int
    protection: int
    message_for: int


def _header(walk: Walk, *, end: int) -> Header:
    """Pass a plaintext header that leaves `end` bytes."""
    if walk.left - end < HEADER_BYTES:
        raise Malformed("bad_header")
    version, flags = walk.nibbles("ei.header.version", "ei.header.flags")
    walk.bits(flags, {"ei.header.flags.origin": ORIGIN, "ei.header.flags.traced": TRACED})
    if version != WIRE_VERSION:
        raise Malformed("unknown_version")
    if flags & ~(ORIGIN | TRACED):
        raise Malformed("unknown_flags")
    _ = walk.take("ei.hop_limit", 1)
    _ = walk.take("ei.class", 2)
    service = walk.number("ei.service", 4)
    _ = walk.take("ei.connection", 8)
    payload_bytes = walk.number("ei.payload_length", 2)
    metadata_bytes = walk.number("ei.metadata_length", 1)
    protection = walk.number("ei.protection", 1)
    if protection not in PROTECTIONS:
        raise Malformed("bad_header")
    source_bytes = SOURCE_BYTES if flags & ORIGIN else 0
    if walk.left - end < source_bytes + metadata_bytes:
        raise Malformed("bad_header")
    _ = walk.take("ei.source", source_bytes)
    if service == CONTROL_SERVICE and metadata_bytes == CONTROL_METADATA_BYTES:
        message_for = walk.number("ei.control.service", 4)
        _ = walk.take("ei.control.sequence", 4)
        _ = walk.take("ei.control.acknowledged", 4)
        has_more = walk.number("ei.control.more", 1)
        return Header(payload_bytes, protection, 0 if has_more else message_for)
    _ = walk.take("ei.metadata", metadata_bytes)
    return Header(payload_bytes, protection, 0)


def _payload(walk: Walk, payload_bytes: int, *, end: int) -> bytes:
    """Pass payload and padding, leaving `end` bytes; return the payload."""
    if payload_bytes > walk.left - end:
        raise Malformed("truncated")
    payload = walk.take("ei.payload", payload_bytes)
    _ = walk.take("ei.padding", walk.left - end)
    return payload
