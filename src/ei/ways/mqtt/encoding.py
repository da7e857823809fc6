"""A packet to its bytes: the other direction of `decoding`. Pure."""

from ei.ways.mqtt.decoding import FLAGS, PROTOCOL
from ei.ways.mqtt.packets import (
    V3,
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
)
from ei.ways.mqtt.properties import NONE, Properties, write_properties
from ei.ways.mqtt.reasons import IN_3_1_1, UNAVAILABLE_IN_3_1_1, Reason
from ei.ways.mqtt.wire import binary, text, varint


def encode(packet: Packet, *, version: int) -> bytes:  # noqa: C901, PLR0911 a case each
    """Return the bytes of a packet."""
    match packet:
        case Publish():
            return _publish(packet, version)
        case Ack():
            tail = _ending(packet.reason, packet.properties, version)
            return _framed(packet.kind, packet.number.to_bytes(2) + tail)
        case Connect():
            return _framed(Kind.CONNECT, _connect(packet))
        case Connack():
            return _framed(Kind.CONNACK, _connack(packet, version))
        case Subscribe() | Unsubscribe():
            return _filters(packet, version)
        case Verdicts():
            return _framed(packet.kind, _verdicts(packet, version))
        case Ping():
            return _framed(packet.kind, b"")
        case Disconnect():
            return _framed(Kind.DISCONNECT, _ending(packet.reason, packet.properties, version))
        case Auth():
            return _framed(Kind.AUTH, bytes([packet.reason]) + write_properties(packet.properties))


def _framed(kind: Kind, body: bytes) -> bytes:
    return bytes([kind << 4 | FLAGS.get(kind, 0)]) + varint(len(body)) + body


def _properties(properties: Properties, version: int) -> bytes:
    return b"" if version == V3 else write_properties(properties)


def _ending(reason: Reason, properties: Properties, version: int) -> bytes:
    """Return what may be left out where it says nothing."""
    if version == V3 or (reason is Reason.SUCCESS and properties == NONE):
        return b""
    return bytes([reason]) + (b"" if properties == NONE else write_properties(properties))


def _publish(packet: Publish, version: int) -> bytes:
    first = Kind.PUBLISH << 4 | packet.is_repeated << 3 | packet.qos << 1 | packet.is_retained
    number = packet.number.to_bytes(2) if packet.qos else b""
    head = text(packet.topic) + number + _properties(packet.properties, version)
    return bytes([first]) + varint(len(head) + len(packet.payload)) + head + packet.payload


def _connect(packet: Connect) -> bytes:
    will = packet.will
    flags = packet.is_clean << 1 | (packet.user is not None) << 7
    flags |= (packet.password is not None) << 6
    if will is not None:
        flags |= 4 | will.qos << 3 | will.is_retained << 5
    body = text(PROTOCOL) + bytes([packet.version, flags]) + packet.keep_alive_s.to_bytes(2)
    body += _properties(packet.properties, packet.version) + text(packet.client_id)
    if will is not None:
        body += _properties(will.properties, packet.version)
        body += text(will.topic) + binary(will.payload)
    body += b"" if packet.user is None else text(packet.user)
    return body + (b"" if packet.password is None else binary(packet.password))


def _connack(packet: Connack, version: int) -> bytes:
    if version == V3:
        code = IN_3_1_1.get(packet.reason, UNAVAILABLE_IN_3_1_1)
        return bytes([packet.is_present, code])
    return bytes([packet.is_present, packet.reason]) + write_properties(packet.properties)


def _filters(packet: Subscribe | Unsubscribe, version: int) -> bytes:
    body = packet.number.to_bytes(2) + _properties(packet.properties, version)
    if isinstance(packet, Unsubscribe):
        return _framed(Kind.UNSUBSCRIBE, body + b"".join(text(each) for each in packet.filters))
    for each in packet.filters:
        options = each.qos | each.is_foreign << 2 | each.as_published << 3 | each.retained << 4
        body += text(each.filter) + bytes([options])
    return _framed(Kind.SUBSCRIBE, body)


def _verdicts(packet: Verdicts, version: int) -> bytes:
    head = packet.number.to_bytes(2) + _properties(packet.properties, version)
    if version == V3:
        # 3.1.1 knows one failure, and nothing of it in UNSUBACK.
        if packet.kind is Kind.UNSUBACK:
            return head
        return head + bytes(min(each, Reason.UNSPECIFIED) for each in packet.reasons)
    return head + bytes(packet.reasons)
