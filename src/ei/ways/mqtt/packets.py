"""The packets of MQTT, as values; `decoding` and `encoding` know their bytes. Pure."""

from enum import IntEnum

import msgspec

from ei.ways.mqtt.properties import NONE, Properties
from ei.ways.mqtt.reasons import Reason

V3 = 4
"""Protocol level of 3.1.1."""
V5 = 5
FOREVER_S = 0xFFFF_FFFF
"""A session expiry that is none."""


class Kind(IntEnum):
    """Type of a packet, the upper half of its first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Will(msgspec.Struct, frozen=True):
    """What is published when a client is gone without a word."""

    topic: str
    payload: bytes
    qos: int = 0
    is_retained: bool = False
    properties: Properties = NONE


class Connect(msgspec.Struct, frozen=True):
    """The first packet of a client; `version` is the protocol level."""

    client_id: str
    version: int = V5
    is_clean: bool = True
    keep_alive_s: int = 0
    properties: Properties = NONE
    will: Will | None = None
    user: str | None = None
    password: bytes | None = None


class Connack(msgspec.Struct, frozen=True):
    """The answer to it."""

    reason: Reason = Reason.SUCCESS
    is_present: bool = False
    properties: Properties = NONE


class Publish(msgspec.Struct, frozen=True):
    """A message; `number` is its packet identifier, 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    is_retained: bool = False
    is_repeated: bool = False
    number: int = 0
    properties: Properties = NONE


class Ack(msgspec.Struct, frozen=True):
    """PUBACK, PUBREC, PUBREL or PUBCOMP."""

    kind: Kind
    number: int
    reason: Reason = Reason.SUCCESS
    properties: Properties = NONE


class Wanted(msgspec.Struct, frozen=True):
    """One filter of a SUBSCRIBE.

    Attributes:
        is_foreign: "No local": not what the same client publishes.
        as_published: Keep the retain flag of who published.
        retained: When retained messages are sent: 0 now, 1 if it is new, 2 never.
    """

    filter: str
    qos: int = 0
    is_foreign: bool = False
    as_published: bool = False
    retained: int = 0


class Subscribe(msgspec.Struct, frozen=True):
    """1 or more filters that a client wants."""

    number: int
    filters: tuple[Wanted, ...]
    properties: Properties = NONE


class Unsubscribe(msgspec.Struct, frozen=True):
    """1 or more filters that it wants no longer."""

    number: int
    filters: tuple[str, ...]
    properties: Properties = NONE


class Verdicts(msgspec.Struct, frozen=True):
    """SUBACK or UNSUBACK: what became of each filter."""

    kind: Kind
    number: int
    reasons: tuple[Reason, ...]
    properties: Properties = NONE


class Ping(msgspec.Struct, frozen=True):
    """PINGREQ or PINGRESP."""

    kind: Kind


class Disconnect(msgspec.Struct, frozen=True):
    """The last packet, of either side; in 3.1.1 of the client alone, without a reason."""

    reason: Reason = Reason.SUCCESS
    properties: Properties = NONE


class Auth(msgspec.Struct, frozen=True):
    """A step of an exchange of MQTT 5 that this gateway does not take part in."""

    reason: int = 0
    properties: Properties = NONE


Packet = (
    Connect
    | Connack
    | Publish
    | Ack
    | Subscribe
    | Unsubscribe
    | Verdicts
    | Ping
    | Disconnect
    | Auth
)
