"""What clients of the gateway may take. Pure."""

import msgspec

DAY_S = 86_400


class MqttLimits(msgspec.Struct, frozen=True):
    """Bounds; each is told to clients of MQTT 5 where the protocol has a word for it.

    Attributes:
        connections: At a time; more are refused (`busy`).
        sessions: Kept, of clients that are there or will be back; more are refused (`quota`).
        subscriptions: Of one client.
        packet_bytes: Longest packet of a client; what is in it fits a message of pubsub.
        at_once: Messages of QoS 1 and 2 on their way, to a client and from it.
        queue: Messages that wait here for each subscription of a client that reads slowly.
        session_s: Longest time for which the session of a client that is gone is kept.
        keep_alive_s: Longest time for which a client of MQTT 5 may be silent.
        first_s: From the connection to the first packet.
        stall_s: A client that takes nothing for so long is given up.
        grace_s: At the end, clients have so long to be told.
        store_bytes: Of all that is kept on the disk.
    """

    connections: int = 1_024
    sessions: int = 10_000
    subscriptions: int = 256
    packet_bytes: int = 56 * 1024
    at_once: int = 64
    queue: int = 4_096
    session_s: int = 7 * DAY_S
    keep_alive_s: int = 3_600
    first_s: float = 10.0
    stall_s: float = 30.0
    grace_s: float = 2.0
    store_bytes: int = 256 * 1024 * 1024
