"""What is agreed with a client at its CONNECT, and what is told in CONNACK. Pure."""

from dataclasses import dataclass

from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.packets import V3, V5, Connack, Connect
from ei.ways.mqtt.properties import Properties
from ei.ways.mqtt.reasons import MqttError, Reason
from ei.ways.mqtt.topics import check_published

MAX_CLIENT_ID_BYTES = 128
MAX_ALIASES = 32
"""Topic aliases that a client may have, and that it is sent."""
KEEP_ALIVE_FACTOR = 1.5
MAX_WINDOW = 65_535


@dataclass(frozen=True, slots=True)
class Agreed:
    """What holds for one connection.

    Attributes:
        expiry_s: For so long the session outlives it; 0: not at all.
        silence_s: It is given up after so long without a packet; `None`: never.
        window: Messages of QoS 1 and 2 that may be on their way to the client.
        limit_bytes: Longest packet that it takes; `None`: any.
        aliases: Topics that it lets us number.
        is_told: It wants to know why something was refused.
    """

    client_id: str
    version: int
    expiry_s: int
    silence_s: float | None
    window: int
    limit_bytes: int | None
    aliases: int
    is_told: bool


def agree(connect: Connect, limits: MqttLimits, *, drawn: str) -> Agreed:
    """Return what is agreed with a client.

    Args:
        drawn: A name that nobody has, for a client that gives none.

    Raises:
        MqttError: it cannot be served: why.
    """
    properties = connect.properties
    if properties.auth_method is not None:
        raise MqttError(
            f"authentication {properties.auth_method!r} seen, none allowed",
            Reason.BAD_AUTHENTICATION,
        )
    if connect.will is not None:
        check_published(connect.will.topic)
    keep_alive_s = connect.keep_alive_s
    if connect.version == V5:
        keep_alive_s = min(keep_alive_s or limits.keep_alive_s, limits.keep_alive_s)
    return Agreed(
        client_id=_client_id(connect, drawn),
        version=connect.version,
        expiry_s=_expiry_s(connect, limits),
        silence_s=keep_alive_s * KEEP_ALIVE_FACTOR if keep_alive_s else None,
        window=min(properties.receive_maximum or MAX_WINDOW, limits.at_once),
        limit_bytes=properties.maximum_packet_bytes,
        aliases=min(properties.alias_maximum or 0, MAX_ALIASES),
        is_told=properties.wants_problems != 0,
    )


def accept(connect: Connect, agreed: Agreed, limits: MqttLimits, *, is_present: bool) -> Connack:
    """Return the CONNACK of a client that is served.

    Args:
        is_present: Its session was here.
    """
    if connect.version == V3:
        return Connack(is_present=is_present)
    asked_s = connect.properties.session_expiry_s or 0
    is_drawn = agreed.client_id != connect.client_id
    kept_s = limits.keep_alive_s
    properties = Properties(
        session_expiry_s=agreed.expiry_s if agreed.expiry_s != asked_s else None,
        assigned_client_id=agreed.client_id if is_drawn else None,
        server_keep_alive_s=kept_s if not 0 < connect.keep_alive_s <= kept_s else None,
        receive_maximum=limits.at_once,
        alias_maximum=MAX_ALIASES,
        maximum_packet_bytes=limits.packet_bytes,
    )
    return Connack(is_present=is_present, properties=properties)


def _client_id(connect: Connect, drawn: str) -> str:
    size_bytes = len(connect.client_id.encode())
    if size_bytes > MAX_CLIENT_ID_BYTES:
        raise MqttError(
            f"a client identifier of {size_bytes} B seen, {MAX_CLIENT_ID_BYTES} B allowed",
            Reason.BAD_CLIENT_ID,
        )
    if connect.client_id:
        return connect.client_id
    if connect.version == V3 and not connect.is_clean:
        raise MqttError("a session that is kept needs a client identifier", Reason.BAD_CLIENT_ID)
    return drawn


def _expiry_s(connect: Connect, limits: MqttLimits) -> int:
    if connect.version == V3:
        return 0 if connect.is_clean else limits.session_s
    return min(connect.properties.session_expiry_s or 0, limits.session_s)
