"""`$SYS/...`: what the gateway says of itself, to its own clients. Pure."""

from collections.abc import Iterable

import msgspec

from ei.ways.mqtt.carried import Message
from ei.ways.mqtt.topics import matches


class MqttStatus(msgspec.Struct, frozen=True):
    """A gateway at one moment.

    Attributes:
        name: Of the host.
        endpoint: Where it listens.
        uptime_s: Since its start.
        connections: Clients that are there.
        sessions: Kept, of these and of others.
        subscriptions: Of all sessions.
        received, sent: Messages from clients and to them.
        endings: Connections since the start, by how they ended.
        dropped: Messages that did not go on, by why.
    """

    name: str
    endpoint: str
    uptime_s: float = 0.0
    connections: int = 0
    sessions: int = 0
    subscriptions: int = 0
    received: int = 0
    sent: int = 0
    endings: dict[str, int] = {}
    dropped: dict[str, int] = {}


def system_messages(status: MqttStatus, wanted: str) -> Iterable[Message]:
    """Yield what a filter means, named as other brokers do."""
    values: dict[str, object] = {
        "version": f"Extensible Internet, {status.name}",
        "uptime": f"{int(status.uptime_s)} seconds",
        "clients/connected": status.connections,
        "clients/total": status.sessions,
        "clients/disconnected": status.sessions - status.connections,
        "subscriptions/count": status.subscriptions,
        "messages/received": status.received,
        "messages/sent": status.sent,
        "publish/messages/dropped": sum(status.dropped.values()),
    }
    for name, value in values.items():
        topic = f"$SYS/broker/{name}"
        if matches(wanted, topic):
            yield Message(topic, str(value).encode(), is_late=True)
