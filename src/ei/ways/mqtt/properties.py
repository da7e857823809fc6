"""Properties of MQTT 5 packets (2.2.2): one table says what each is and where it may be."""

from enum import Enum, auto

import msgspec

from ei.ways.mqtt.reasons import MqttError, Reason
from ei.ways.mqtt.wire import Reader, binary, text, varint

MAX_USER_PROPERTIES = 64
"""Of one packet; the protocol has no bound."""


class Properties(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that there are; `None` or empty: not given.

    Times are in seconds. Numbers are as wide as `TABLE` says.
    """

    payload_format: int | None = None
    expiry_s: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    subscriptions: tuple[int, ...] = ()
    session_expiry_s: int | None = None
    assigned_client_id: str | None = None
    server_keep_alive_s: int | None = None
    auth_method: str | None = None
    auth_data: bytes | None = None
    wants_problems: int | None = None
    will_delay_s: int | None = None
    wants_response: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_text: str | None = None
    receive_maximum: int | None = None
    alias_maximum: int | None = None
    alias: int | None = None
    maximum_qos: int | None = None
    retains: int | None = None
    user: tuple[tuple[str, str], ...] = ()
    maximum_packet_bytes: int | None = None
    has_wildcards: int | None = None
    has_identifiers: int | None = None
    has_shared: int | None = None


NONE = Properties()


class Place(Enum):
    """In what properties are."""

    CONNECT = auto()
    WILL = auto()
    CONNACK = auto()
    PUBLISH = auto()
    ACK = auto()
    SUBSCRIBE = auto()
    UNSUBSCRIBE = auto()
    DISCONNECT = auto()
    AUTH = auto()


class Kind(Enum):
    """How a value is written; numbers by their bytes."""

    BIT = 0
    BYTE_2 = 2
    BYTE_4 = 4
    VARINT = auto()
    BINARY = auto()
    TEXT = auto()
    PAIR = auto()


_P = Place
_MESSAGE = (_P.PUBLISH, _P.WILL)
TABLE: dict[int, tuple[str, Kind, tuple[Place, ...]]] = {
    0x01: ("payload_format", Kind.BIT, _MESSAGE),
    0x02: ("expiry_s", Kind.BYTE_4, _MESSAGE),
    0x03: ("content_type", Kind.TEXT, _MESSAGE),
    0x08: ("response_topic", Kind.TEXT, _MESSAGE),
    0x09: ("correlation", Kind.BINARY, _MESSAGE),
    0x0B: ("subscriptions", Kind.VARINT, (_P.PUBLISH, _P.SUBSCRIBE)),
    0x11: ("session_expiry_s", Kind.BYTE_4, (_P.CONNECT, _P.CONNACK, _P.DISCONNECT)),
    0x12: ("assigned_client_id", Kind.TEXT, (_P.CONNACK,)),
    0x13: ("server_keep_alive_s", Kind.BYTE_2, (_P.CONNACK,)),
    0x15: ("auth_method", Kind.TEXT, (_P.CONNECT, _P.CONNACK, _P.AUTH)),
    0x16: ("auth_data", Kind.BINARY, (_P.CONNECT, _P.CONNACK, _P.AUTH)),
    0x17: ("wants_problems", Kind.BIT, (_P.CONNECT,)),
    0x18: ("will_delay_s", Kind.BYTE_4, (_P.WILL,)),
    0x19: ("wants_response", Kind.BIT, (_P.CONNECT,)),
    0x1A: ("response_information", Kind.TEXT, (_P.CONNACK,)),
    0x1C: ("server_reference", Kind.TEXT, (_P.CONNACK, _P.DISCONNECT)),
    0x1F: ("reason_text", Kind.TEXT, (_P.CONNACK, _P.ACK, _P.DISCONNECT, _P.AUTH)),
    0x21: ("receive_maximum", Kind.BYTE_2, (_P.CONNECT, _P.CONNACK)),
    0x22: ("alias_maximum", Kind.BYTE_2, (_P.CONNECT, _P.CONNACK)),
    0x23: ("alias", Kind.BYTE_2, (_P.PUBLISH,)),
    0x24: ("maximum_qos", Kind.BIT, (_P.CONNACK,)),
    0x25: ("retains", Kind.BIT, (_P.CONNACK,)),
    0x26: ("user", Kind.PAIR, tuple(Place)),
    0x27: ("maximum_packet_bytes", Kind.BYTE_4, (_P.CONNECT, _P.CONNACK)),
    0x28: ("has_wildcards", Kind.BIT, (_P.CONNACK,)),
    0x29: ("has_identifiers", Kind.BIT, (_P.CONNACK,)),
    0x2A: ("has_shared", Kind.BIT, (_P.CONNACK,)),
}
"""By identifier: the attribute, how it is written, and in which packets it may be."""
NEVER_ZERO = {"receive_maximum", "maximum_packet_bytes", "alias", "subscriptions"}
REPEATED = {"user": MAX_USER_PROPERTIES, "subscriptions": 1}


def read_properties(reader: Reader, place: Place) -> Properties:
    """Read the properties of a packet, or of its will.

    Raises:
        MqttError: they are malformed, not for this packet, twice, or 0 where that means nothing.
    """
    size_bytes = reader.varint()
    if not size_bytes:
        return NONE
    inner = Reader(reader.take(size_bytes))
    found: dict[str, object] = {}
    repeated: dict[str, list[object]] = {}
    while inner.left_bytes:
        identifier = inner.varint()
        name, kind, places = TABLE.get(identifier, ("", Kind.BIT, ()))
        if place not in places:
            raise MqttError(f"property {identifier:#04x} is none of {place.name}")
        value = _read(inner, kind)
        if value == 0 and name in NEVER_ZERO:
            raise MqttError(f"{name} is 0", Reason.PROTOCOL_ERROR)
        if name in REPEATED:
            _add(repeated.setdefault(name, []), value, name, place)
        elif name in found:
            raise MqttError(f"{name} is there twice", Reason.PROTOCOL_ERROR)
        else:
            found[name] = value
    for name, values in repeated.items():
        found[name] = tuple(values)
    return msgspec.convert(found, Properties)


def _add(values: list[object], value: object, name: str, place: Place) -> None:
    # A message that goes out may match several subscriptions.
    allowed = MAX_USER_PROPERTIES if place is Place.PUBLISH else REPEATED[name]
    if len(values) >= allowed:
        raise MqttError(f"{name} is there more than {allowed} times", Reason.PROTOCOL_ERROR)
    values.append(value)


def _read(reader: Reader, kind: Kind) -> object:
    match kind:
        case Kind.BIT:
            value = reader.number(1)
            if value > 1:
                raise MqttError(f"{value} seen, 0 or 1 allowed", Reason.PROTOCOL_ERROR)
            return value
        case Kind.BYTE_2 | Kind.BYTE_4:
            return reader.number(kind.value)
        case Kind.VARINT:
            return reader.varint()
        case Kind.BINARY:
            return reader.binary()
        case Kind.TEXT:
            return reader.text()
        case Kind.PAIR:
            return (reader.text(), reader.text())


def write_properties(properties: Properties) -> bytes:
    """Return properties behind their length."""
    if properties is NONE:
        return b"\0"
    written = bytearray()
    for identifier, (name, kind, _) in TABLE.items():
        value = getattr(properties, name)
        if value is None or value == ():
            continue
        for each in value if name in REPEATED else (value,):
            written.append(identifier)
            written += _write(kind, each)
    return varint(len(written)) + written


def _write(kind: Kind, value: object) -> bytes:
    match kind, value:
        case Kind.BIT, int():
            return bytes([value])
        case ((Kind.BYTE_2 | Kind.BYTE_4), int()):
            return value.to_bytes(kind.value)
        case Kind.VARINT, int():
            return varint(value)
        case Kind.BINARY, bytes():
            return binary(value)
        case Kind.TEXT, str():
            return text(value)
        case Kind.PAIR, (str() as name, str() as word):
            return text(name) + text(word)
        case _:
            raise AssertionError(f"{value!r} is no {kind.name}")
