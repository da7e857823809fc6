"""Bytes of a packet to its value: MQTT 5 (3.1 to 3.15) and 3.1.1. Pure.

What both sides may send is read, so that tests can be the other side.
"""

from ei.ways.mqtt.packets import (
    V3,
    V5,
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Verdicts,
    Wanted,
    Will,
)
from ei.ways.mqtt.properties import NONE, Place, Properties, read_properties
from ei.ways.mqtt.reasons import IN_3_1_1, MqttError, Reason
from ei.ways.mqtt.wire import Reader

PROTOCOL = "MQTT"
FLAGS = {Kind.PUBREL: 2, Kind.SUBSCRIBE: 2, Kind.UNSUBSCRIBE: 2}
"""The lower half of the first byte, of all but PUBLISH; 0 for the others."""
MAX_FILTERS = 128
"""Of one SUBSCRIBE or UNSUBSCRIBE."""
MAX_QOS = 2
_REASONS = {each.value for each in Reason}


def decode(first: int, body: bytes, *, version: int) -> Packet:
    """Return the packet.

    Args:
        first: Its first byte.
        body: What follows its length.
        version: Protocol level; that of CONNECT is in itself.

    Raises:
        MqttError: it is malformed, or breaks a rule that needs no memory.
    """
    if first >> 4 == 0:
        raise MqttError("packet type 0 seen, 1 to 15 allowed")
    kind, flags = Kind(first >> 4), first & 15
    if kind is not Kind.PUBLISH and flags != FLAGS.get(kind, 0):
        raise MqttError(f"{kind.name} has flags {flags:#x}, {FLAGS.get(kind, 0):#x} allowed")
    reader = Reader(body)
    packet = _read(kind, flags, reader, version)
    reader.end()
    return packet


def _read(kind: Kind, flags: int, reader: Reader, version: int) -> Packet:  # noqa: C901, PLR0911 a case each
    match kind:
        case Kind.CONNECT:
            return _connect(reader)
        case Kind.CONNACK:
            return _connack(reader, version)
        case Kind.PUBLISH:
            return _publish(flags, reader, version)
        case Kind.PUBACK | Kind.PUBREC | Kind.PUBREL | Kind.PUBCOMP:
            number = _number(reader)
            reason, properties = _ending(reader, version, Place.ACK)
            return Ack(kind, number, reason, properties)
        case Kind.SUBSCRIBE:
            return _subscribe(reader, version)
        case Kind.UNSUBSCRIBE:
            return _unsubscribe(reader, version)
        case Kind.SUBACK | Kind.UNSUBACK:
            number = _number(reader)
            properties = _properties(reader, version, Place.ACK)
            reasons = tuple(_reason(each) for each in reader.rest())
            return Verdicts(kind, number, reasons, properties)
        case Kind.PINGREQ | Kind.PINGRESP:
            return Ping(kind)
        case Kind.DISCONNECT:
            return Disconnect(*_ending(reader, version, Place.DISCONNECT))
        case Kind.AUTH:
            if version == V3:
                raise MqttError("AUTH is not in 3.1.1", Reason.PROTOCOL_ERROR)
            if not reader.left_bytes:
                return Auth()
            return Auth(reader.number(1), _properties(reader, version, Place.AUTH))


def _connect(reader: Reader) -> Connect:
    name, version = reader.text(), reader.number(1)
    if name != PROTOCOL or version not in (V3, V5):
        raise MqttError(
            f"protocol {name!r}, level {version} seen; {PROTOCOL!r}, 4 or 5 allowed",
            Reason.UNSUPPORTED_VERSION,
        )
    flags = reader.number(1)
    has_user, has_password = bool(flags & 0x80), bool(flags & 0x40)
    if flags & 1 or (version == V3 and has_password and not has_user):
        raise MqttError(f"flags {flags:#04x} of CONNECT are not allowed")
    keep_alive_s = reader.number(2)
    properties = _properties(reader, version, Place.CONNECT)
    client_id = reader.text()
    will = _will(flags, reader, version)
    user = reader.text() if has_user else None
    password = reader.binary() if has_password else None
    return Connect(
        client_id, version, bool(flags & 2), keep_alive_s, properties, will, user, password
    )


def _will(flags: int, reader: Reader, version: int) -> Will | None:
    qos = flags >> 3 & 3
    if not flags & 4:
        if flags & 0x38:
            raise MqttError("CONNECT says how to publish a will, and has none")
        return None
    properties = _properties(reader, version, Place.WILL)
    topic, payload = reader.text(), reader.binary()
    return Will(topic, payload, _qos(qos), bool(flags & 0x20), properties)


def _connack(reader: Reader, version: int) -> Connack:
    flags, code = reader.number(1), reader.number(1)
    if flags > 1:
        raise MqttError(f"flags {flags:#04x} of CONNACK are not allowed")
    if version == V3:
        known = {value: reason for reason, value in IN_3_1_1.items()}
        return Connack(known.get(code, Reason.UNAVAILABLE), bool(flags))
    return Connack(_reason(code), bool(flags), _properties(reader, version, Place.CONNACK))


def _publish(flags: int, reader: Reader, version: int) -> Publish:
    qos = _qos(flags >> 1 & 3)
    topic = reader.text()
    if not qos and flags & 8:
        raise MqttError("a message of QoS 0 says that it is repeated")
    number = _number(reader) if qos else 0
    properties = _properties(reader, version, Place.PUBLISH)
    is_retained, is_repeated = bool(flags & 1), bool(flags & 8)
    return Publish(topic, reader.rest(), qos, is_retained, is_repeated, number, properties)


def _subscribe(reader: Reader, version: int) -> Subscribe:
    number = _number(reader)
    properties = _properties(reader, version, Place.SUBSCRIBE)
    filters: list[Wanted] = []
    while reader.left_bytes or not filters:
        name, options = reader.text(), reader.number(1)
        retained = options >> 4 & 3
        if options & 0xC0 or retained > MAX_QOS or (version == V3 and options > MAX_QOS):
            raise MqttError(f"options {options:#04x} of a subscription are not allowed")
        is_foreign, as_published = bool(options & 4), bool(options & 8)
        filters.append(Wanted(name, _qos(options & 3), is_foreign, as_published, retained))
        _check_count(filters)
    return Subscribe(number, tuple(filters), properties)


def _unsubscribe(reader: Reader, version: int) -> Unsubscribe:
    number = _number(reader)
    properties = _properties(reader, version, Place.UNSUBSCRIBE)
    filters: list[str] = []
    while reader.left_bytes or not filters:
        filters.append(reader.text())
        _check_count(filters)
    return Unsubscribe(number, tuple(filters), properties)


def _ending(reader: Reader, version: int, place: Place) -> tuple[Reason, Properties]:
    """Read what 5 may have at the end of a packet, and may leave out."""
    if version == V3 or not reader.left_bytes:
        return Reason.SUCCESS, NONE
    reason = _reason(reader.number(1))
    return reason, _properties(reader, version, place) if reader.left_bytes else NONE


def _properties(reader: Reader, version: int, place: Place) -> Properties:
    return NONE if version == V3 else read_properties(reader, place)


def _number(reader: Reader) -> int:
    number = reader.number(2)
    if not number:
        raise MqttError("packet identifier 0 seen, 1 to 65535 allowed", Reason.PROTOCOL_ERROR)
    return number


def _qos(value: int) -> int:
    if value > MAX_QOS:
        raise MqttError(f"QoS {value} seen, 0 to {MAX_QOS} allowed")
    return value


def _reason(code: int) -> Reason:
    # One that is not known here is as good or as bad as its upper half says.
    if code in _REASONS:
        return Reason(code)
    return Reason.UNSPECIFIED if code >= Reason.UNSPECIFIED else Reason.SUCCESS


def _check_count(filters: list[Wanted] | list[str]) -> None:
    if len(filters) > MAX_FILTERS:
        raise MqttError(f"more than {MAX_FILTERS} filters in a packet", Reason.IMPLEMENTATION)
