"""Control messages: an array of msgpack, its kind first, by name and as text. Pure.

A message that came in several fragments is not put together: those have no text.
"""

from collections.abc import Callable
from ipaddress import IPv6Address

from ei.dissector.walk import Walk

MESSAGES = {
    2: {
        0: "Find",
        1: "Found",
        2: "Unfound",
        3: "Register",
        4: "Registered",
        5: "Ask",
        6: "Answer",
        7: "Refused",
        8: "Release",
    },
    3: {0: "Start", 1: "Update", 2: "Inside"},
    5: {1: "Append", 2: "Appended", 3: "Refused", 4: "Piece", 5: "Taken", 6: "Part"},
    6: {0: "Draining", 1: "Moved", 8: "Guard", 16: "Explain", 17: "Explained"},
    34: {0: "Purge", 1: "Purged", 2: "Spread", 3: "Heard"},
    37: {0: "Offer", 1: "Taken", 2: "Has"},
    48: {0: "Join", 1: "Leave", 2: "Graft", 3: "Prune", 4: "Decline", 5: "Missing", 6: "Again"},
    50: {0: "Want", 1: "Wanted", 2: "Again"},
    68: {0: "AskKeys", 1: "IssuerKeys", 2: "Sign", 3: "Signed", 4: "Ended"},
}
"""Service number to kind to name; a test compares with what the code sends."""

POSITIVE, ARRAYS, TEXTS, NEGATIVE = (
    range(0x80),
    range(0x90, 0xA0),
    range(0xA0, 0xC0),
    range(0xE0, 0x100),
)
"""First bytes that have the value, or its length, in themselves."""

WORDS = {0xC0: "null", 0xC2: "false", 0xC3: "true"}
SIZE_BYTES = {
    0xC4: 1, 0xC5: 2, 0xC6: 4,  # bytes
    0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,  # numbers
    0xD9: 1, 0xDA: 2, 0xDB: 4,  # text
    0xDC: 2, 0xDD: 4,  # arrays
}  # fmt: skip
"""First byte to the bytes of the number, or length, that follows it."""

PRINTABLE = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\')
ADDRESS_BYTES = 16
SHOWN_BYTES = 32
MAX_DEPTH = 8
MAX_TEXT = 200
"""As much as Wireshark shows in a line."""


class NotText(Exception):  # noqa: N818 a way out of the walk, not an error of anybody's
    """Bytes are no value, or one that no message has, such as a map or a float."""


def control_message(walk: Walk, payload: bytes, service: int) -> None:
    """Note what a payload of the control channel says, if it is a whole message."""
    try:
        text, rest = _value(memoryview(payload), MAX_DEPTH)
    except NotText:
        return
    # An array of up to 15, and a kind in one byte: as all messages begin.
    if len(rest) or payload[0] not in ARRAYS or len(payload) == 1 or payload[1] not in POSITIVE:
        return
    name = MESSAGES.get(service, {}).get(payload[1], f"kind {payload[1]}")
    walk.note("ei.message", name)
    walk.note("ei.message.text", text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}...")


def _value(data: memoryview, depth: int) -> tuple[str, memoryview]:
    """Return a value as text, and the bytes after it."""
    if not data or not depth:
        raise NotText
    code, rest = data[0], data[1:]
    if code in WORDS:
        return WORDS[code], rest
    if code in POSITIVE:
        return str(code), rest
    if code in NEGATIVE:
        return str(code - 256), rest
    if code in ARRAYS:
        return _array(code - ARRAYS.start, rest, depth)
    if code in TEXTS:
        return _bytes(code - TEXTS.start, rest, _string)
    return _sized(code, rest, depth)


def _sized(code: int, rest: memoryview, depth: int) -> tuple[str, memoryview]:
    """Return a value whose length, or which itself, is a number of 1, 2, 4 or 8 bytes."""
    size_bytes = SIZE_BYTES.get(code, 0)
    if not 0 < size_bytes <= len(rest):
        raise NotText
    number = int.from_bytes(rest[:size_bytes], "big")
    rest = rest[size_bytes:]
    match code:
        case 0xC4 | 0xC5 | 0xC6:
            return _bytes(number, rest, _binary)
        case 0xD9 | 0xDA | 0xDB:
            return _bytes(number, rest, _string)
        case 0xDC | 0xDD:
            return _array(number, rest, depth)
        case _:
            return str(number), rest


def _array(count: int, rest: memoryview, depth: int) -> tuple[str, memoryview]:
    if count > len(rest):
        raise NotText
    parts: list[str] = []
    for _ in range(count):
        part, rest = _value(rest, depth - 1)
        parts.append(part)
    return f"[{', '.join(parts)}]", rest


def _bytes(size: int, rest: memoryview, show: Callable[[bytes], str]) -> tuple[str, memoryview]:
    if size > len(rest):
        raise NotText
    return show(bytes(rest[:size])), rest[size:]


def _binary(value: bytes) -> str:
    if len(value) == ADDRESS_BYTES and value[:2] == b"\xfd\x35":
        return str(IPv6Address(value))
    return value.hex() if len(value) <= SHOWN_BYTES else f"<{len(value)} B>"


def _string(value: bytes) -> str:
    shown = "".join(chr(byte) if byte in PRINTABLE else f"\\x{byte:02x}" for byte in value)
    return f'"{shown}"'
