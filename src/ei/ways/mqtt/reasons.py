"""Reason codes of MQTT 5 (2.4), what 3.1.1 says in their place, and the error that carries one."""

from enum import IntEnum

from ei.errors import PeerError

REFUSED = 0x80
"""Reason codes from here on are failures."""


class Reason(IntEnum):
    """Why, in one byte."""

    SUCCESS = 0x00
    GRANTED_1 = 0x01
    GRANTED_2 = 0x02
    WITH_WILL = 0x04
    NO_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION = 0x11
    UNSPECIFIED = 0x80
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION = 0x83
    UNSUPPORTED_VERSION = 0x84
    BAD_CLIENT_ID = 0x85
    NOT_AUTHORIZED = 0x87
    UNAVAILABLE = 0x88
    BUSY = 0x89
    BAD_AUTHENTICATION = 0x8C
    KEEP_ALIVE = 0x8D
    TAKEN_OVER = 0x8E
    BAD_FILTER = 0x8F
    BAD_TOPIC = 0x90
    NUMBER_IN_USE = 0x91
    NUMBER_NOT_FOUND = 0x92
    TOO_MANY_AT_ONCE = 0x93
    BAD_ALIAS = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA = 0x97
    SHUTTING_DOWN = 0x8B
    BAD_PAYLOAD = 0x99


IN_3_1_1 = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_VERSION: 1,
    Reason.BAD_CLIENT_ID: 2,
    Reason.BAD_AUTHENTICATION: 4,
    Reason.NOT_AUTHORIZED: 5,
}
"""Return codes of CONNACK in 3.1.1; for all other reasons it is 3, server unavailable."""
UNAVAILABLE_IN_3_1_1 = 3


class MqttError(PeerError):
    """What a client sent breaks the protocol, or a limit: its connection ends for this reason."""

    def __init__(self, message: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(message, word=reason.name.lower())
        self.reason = reason
