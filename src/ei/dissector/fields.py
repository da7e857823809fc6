"""Every field by the name that display filters use, and how its value is shown. Pure."""

from collections.abc import Callable
from enum import Enum
from ipaddress import IPv6Address
from typing import NamedTuple


class Kind(Enum):
    """How a field's bytes are read and shown; numbers are little-endian."""

    NUMBER = "number"
    HEX = "hex"
    FLAG = "flag"
    BYTES = "bytes"
    ADDRESS = "address"
    TEXT = "text"


FIELDS = {
    "ei.version": (Kind.NUMBER, "Wire version"),
    "ei.type": (Kind.NUMBER, "Type"),
    "ei.flags": (Kind.HEX, "Flags"),
    "ei.flags.covered": (Kind.FLAG, "COVERED: the payload is inside the seal"),
    "ei.flags.opened": (Kind.FLAG, "OPENED: the tap wrote the header in plaintext"),
    "ei.sealed_length": (Kind.NUMBER, "Sealed length"),
    "ei.receiver_index": (Kind.HEX, "Receiver index"),
    "ei.lane": (Kind.NUMBER, "Lane"),
    "ei.counter": (Kind.NUMBER, "Counter"),
    "ei.sealed": (Kind.BYTES, "Sealed header"),
    "ei.tag": (Kind.BYTES, "Tag"),
    "ei.payload": (Kind.BYTES, "Payload"),
    "ei.padding": (Kind.BYTES, "Padding"),
    "ei.suite": (Kind.NUMBER, "Cipher suite"),
    "ei.handshake_length": (Kind.NUMBER, "Handshake length"),
    "ei.sender_index": (Kind.HEX, "Sender index"),
    "ei.offered_suites": (Kind.BYTES, "Offered suites"),
    "ei.handshake": (Kind.BYTES, "Handshake message"),
    "ei.mac1": (Kind.BYTES, "mac1: knows the responder's key"),
    "ei.mac2": (Kind.BYTES, "mac2: holds a cookie"),
    "ei.reserved": (Kind.BYTES, "Reserved"),
    "ei.cookie.nonce": (Kind.BYTES, "Nonce"),
    "ei.cookie.sealed": (Kind.BYTES, "Sealed cookie"),
    "ei.cookie.tag": (Kind.BYTES, "Tag of the cookie"),
    "ei.header.version": (Kind.NUMBER, "Header version"),
    "ei.header.flags": (Kind.HEX, "Header flags"),
    "ei.header.flags.origin": (Kind.FLAG, "ORIGIN: names its source"),
    "ei.header.flags.traced": (Kind.FLAG, "TRACED: every node keeps a record"),
    "ei.hop_limit": (Kind.NUMBER, "Hop limit"),
    "ei.class": (Kind.NUMBER, "Class"),
    "ei.service": (Kind.NUMBER, "Service"),
    "ei.connection": (Kind.NUMBER, "Connection"),
    "ei.payload_length": (Kind.NUMBER, "Payload length"),
    "ei.metadata_length": (Kind.NUMBER, "Metadata length"),
    "ei.protection": (Kind.NUMBER, "Protection"),
    "ei.source": (Kind.ADDRESS, "Source"),
    "ei.metadata": (Kind.BYTES, "Metadata"),
    "ei.control.service": (Kind.NUMBER, "Control: service"),
    "ei.control.sequence": (Kind.NUMBER, "Control: sequence"),
    "ei.control.acknowledged": (Kind.NUMBER, "Control: acknowledged"),
    "ei.control.more": (Kind.NUMBER, "Control: more fragments"),
    "ei.message": (Kind.TEXT, "Control message"),
    "ei.message.text": (Kind.TEXT, "Control message as text"),
    "ei.e2e.key_id": (Kind.HEX, "End to end: key, or 0 in a handshake"),
    "ei.e2e.counter": (Kind.NUMBER, "End to end: counter"),
    "ei.e2e.ciphertext": (Kind.BYTES, "End to end: ciphertext"),
    "ei.e2e.tag": (Kind.BYTES, "End to end: tag"),
    "ei.e2e.type": (Kind.NUMBER, "End to end: type of the handshake message"),
    "ei.e2e.half": (Kind.NUMBER, "End to end: which half of the initiation"),
    "ei.e2e.suite": (Kind.NUMBER, "End to end: cipher suite"),
    "ei.e2e.reserved": (Kind.BYTES, "End to end: reserved"),
    "ei.e2e.sender_key_id": (Kind.HEX, "End to end: key of the sender"),
    "ei.e2e.receiver_key_id": (Kind.HEX, "End to end: key of the receiver"),
    "ei.e2e.offered_suites": (Kind.BYTES, "End to end: offered suites"),
    "ei.e2e.handshake": (Kind.BYTES, "End to end: Handshake message"),
    "ei.e2e.cookie": (Kind.BYTES, "End to end: cookie"),
    "ei.fate": (Kind.TEXT, "Fate"),
    "ei.drop_reason": (Kind.TEXT, "Drop reason"),
    "ei.malformed": (Kind.TEXT, "Malformed"),
}
"""Every field: how it is shown, and its title."""


class Field(NamedTuple):
    """One field: its filter name, and its value shown as tshark shows it."""

    name: str
    value: str


def show(name: str, value: bytes) -> str:
    """Return the bytes of the field `name` as tshark shows them."""
    return _SHOW[FIELDS[name][0]](value)


_SHOW: dict[Kind, Callable[[bytes], str]] = {
    Kind.NUMBER: lambda value: str(int.from_bytes(value, "little")),
    Kind.HEX: lambda value: f"0x{int.from_bytes(value, 'little'):0{2 * len(value)}x}",
    Kind.FLAG: lambda value: "1" if any(value) else "0",
    Kind.BYTES: lambda value: value.hex(":"),
    Kind.ADDRESS: lambda value: str(IPv6Address(value)),
}
