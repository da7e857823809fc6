"""Messages of QoS 2 that a client publishes: each is taken once (MQTT 5, 4.3.3). Pure.

pubsub takes a message of a publisher once by its number, and numbers ascend. So the packet
identifier of a client gets a number, the ordinal, on the disk before the message is published, and
keeps it until the client releases it.
"""

import msgspec

from ei.ways.mqtt.reasons import MqttError, Reason

MAX_UNRELEASED = 1_024
"""A client of 3.1.1 knows no other bound."""


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """Of one packet identifier, on the disk."""

    number: int
    ordinal: int


class Incoming:
    """What a client has published with QoS 2 and not released.

    Args:
        taken: What the disk has of it.
        last: The highest ordinal that was ever given.
    """

    def __init__(self, taken: tuple[Taken, ...] = (), last: int = 0) -> None:
        self._ordinals = {each.number: each.ordinal for each in taken}
        self._done: set[int] = set()
        self.last = max([last, *self._ordinals.values()])

    def __len__(self) -> int:
        return len(self._ordinals)

    def __repr__(self) -> str:
        return f"<Incoming {len(self)} not released, last {self.last}>"

    def take(self, number: int) -> tuple[Taken, bool]:
        """Return the ordinal of a packet identifier, and whether it was given just now.

        Raises:
            MqttError: too many are not released.
        """
        ordinal = self._ordinals.get(number)
        if ordinal is not None:
            return Taken(number, ordinal), False
        if len(self._ordinals) >= MAX_UNRELEASED:
            raise MqttError(
                f"more than {MAX_UNRELEASED} messages are not released", Reason.TOO_MANY_AT_ONCE
            )
        self.last += 1
        self._ordinals[number] = self.last
        return Taken(number, self.last), True

    def is_done(self, number: int) -> bool:
        """Whether it was published already."""
        return number in self._done

    def publish(self, number: int) -> None:
        """Note that pubsub has it."""
        self._done.add(number)

    def release(self, number: int) -> bool:
        """Forget a packet identifier; return whether it was known. Off the disk before PUBCOMP."""
        self._done.discard(number)
        return self._ordinals.pop(number, None) is not None
