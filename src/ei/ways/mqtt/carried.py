"""What MQTT says of a message beside topic and payload, as the extra bytes of pubsub. Pure.

Programs that publish without MQTT give none; their messages count as of the highest QoS where
pubsub keeps them, and as of QoS 0 where it does not.
"""

from dataclasses import dataclass

import msgspec

from ei.ways.mqtt.packets import Publish, Wanted, Will
from ei.ways.mqtt.properties import MAX_USER_PROPERTIES, NONE, Properties
from ei.ways.mqtt.reasons import MqttError, Reason

MAX_EXTRA_BYTES = 4_096


class Extra(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """As written, in msgpack.

    Attributes:
        qos: 0 to 2.
        is_retained: Its publisher wants it kept for those who come later.
        origin: Of the session that published it, random.
    """

    qos: int = 0
    is_retained: bool = False
    origin: bytes = b""
    expiry_s: int | None = None
    payload_format: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    user: tuple[tuple[str, str], ...] = ()


_DECODER = msgspec.msgpack.Decoder(Extra)


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way to a client.

    Attributes:
        is_kept: pubsub keeps it until it is acknowledged.
        is_late: It came because of the subscription: it is a retained one.
        age_s: Since it was published.
    """

    topic: str
    payload: bytes
    extra: bytes = b""
    is_kept: bool = False
    is_late: bool = False
    age_s: float = 0.0


def extra_of(packet: Publish | Will, origin: bytes) -> bytes:
    """Return what goes along with a message.

    Raises:
        MqttError: it is too much.
    """
    properties = packet.properties
    extra = Extra(
        packet.qos,
        packet.is_retained,
        origin,
        properties.expiry_s,
        properties.payload_format,
        properties.content_type,
        properties.response_topic,
        properties.correlation,
        properties.user,
    )
    written = msgspec.msgpack.encode(extra)
    if len(written) > MAX_EXTRA_BYTES:
        raise MqttError(
            f"properties of {len(written)} B seen, {MAX_EXTRA_BYTES} B allowed", Reason.QUOTA
        )
    return written


def publish_of(
    message: Message, wanted: Wanted, *, identifier: int | None, origin: bytes
) -> Publish | None:
    """Return what a client gets of a message for one of its subscriptions; `None`: nothing.

    Args:
        identifier: That the client gave the subscription.
        origin: Of the client's session: what it published itself it may not want.
    """
    extra = _read(message)
    if wanted.is_foreign and extra.origin == origin:
        return None
    expiry_s = extra.expiry_s
    if expiry_s is not None:
        if message.age_s >= expiry_s:
            return None
        expiry_s -= int(message.age_s)
    properties = Properties(
        payload_format=extra.payload_format,
        expiry_s=expiry_s,
        content_type=extra.content_type,
        response_topic=extra.response_topic,
        correlation=extra.correlation,
        subscriptions=() if identifier is None else (identifier,),
        user=extra.user,
    )
    return Publish(
        message.topic,
        message.payload,
        min(extra.qos, wanted.qos),
        message.is_late or (wanted.as_published and extra.is_retained),
        properties=NONE if properties == NONE else properties,
    )


def _read(message: Message) -> Extra:
    qos = 2 if message.is_kept else 0
    if not 0 < len(message.extra) <= MAX_EXTRA_BYTES:
        return Extra(qos)
    try:
        extra = _DECODER.decode(message.extra)
    except msgspec.DecodeError:
        return Extra(qos)  # of another program, with bytes of its own
    if not _is_fit(extra):
        return Extra(qos)
    return msgspec.structs.replace(extra, qos=max(0, min(extra.qos, qos)))


def _is_fit(extra: Extra) -> bool:
    """Whether properties may be sent to a client: any program may have written them."""
    texts = [
        extra.content_type,
        extra.response_topic,
        *(each for pair in extra.user for each in pair),
    ]
    return (
        extra.payload_format in (None, 0, 1)
        and 0 <= (extra.expiry_s or 0) < 1 << 32
        and len(extra.user) <= MAX_USER_PROPERTIES
        and not any("\0" in text for text in texts if text)
        and not (extra.response_topic and set("+#") & set(extra.response_topic))
    )
