"""What a client was sent with QoS 1 or 2 and has not acknowledged (MQTT 5, 4.3 and 4.4). Pure.

Each message has a mark: where it is in the log of pubsub. A packet identifier is drawn from a small
ring, and what became of the marks of its last round is remembered, so that a message that pubsub
hands over again is not delivered again.
"""

from dataclasses import dataclass
from enum import IntEnum

import msgspec

from ei.ways.mqtt.packets import Ack, Kind, Publish
from ei.ways.mqtt.reasons import Reason

RING = 1_024
"""Packet identifiers in use: 1 to this."""
Packets = tuple[Publish | Ack, ...]


class State(IntEnum):
    """How far a message has come."""

    SENT = 1
    RELEASED = 2
    DONE = 3


@dataclass(slots=True)
class _Sent:
    mark: bytes
    state: State
    qos: int
    packet: Publish | None = None
    """`None`: not held here; pubsub hands it over again."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Of a message of QoS 2, on the disk."""

    number: int
    mark: bytes
    state: State


class Outgoing:
    """The messages on their way to one client.

    Args:
        kept: What the disk has of them.
    """

    def __init__(self, kept: tuple[Kept, ...] = ()) -> None:
        self._sent: dict[int, _Sent] = {}
        self._numbers: dict[bytes, int] = {}
        self._open: dict[int, int] = {}
        self._count = 0
        self._next = 1
        for each in kept:
            self._put(each.number, _Sent(each.mark, each.state, 2))

    def __len__(self) -> int:
        """How many are not acknowledged, of those that were sent since there is this object."""
        return len(self._open)

    def is_full(self, window: int) -> bool:
        """Whether no more may be on their way now.

        One that is not acknowledged holds up those far behind it: as long as pubsub would hand them
        over again, what became of them has to be remembered.
        """
        if len(self._open) >= window:
            return True
        oldest = next(iter(self._open.values()), self._count)
        return self._count - oldest >= RING - window

    def __repr__(self) -> str:
        return f"<Outgoing {len(self)} on their way>"

    def state_of(self, mark: bytes) -> State | None:
        """Return how far a message has come; `None`: it is new, or only its number is known."""
        number = self._numbers.get(mark)
        if number is None:
            return None
        sent = self._sent[number]
        return None if sent.state is State.SENT and sent.packet is None else sent.state

    def is_known(self, number: int) -> bool:
        """Whether a packet identifier was used, of those that are remembered."""
        return number in self._sent

    def send(self, mark: bytes, publish: Publish) -> Publish:
        """Return a message of QoS 1 or 2 as it is sent now: numbered; repeated, if it was before.

        Of QoS 2, `kept` has to be on the disk before it is sent.

        Raises:
            AssertionError: no identifier is free; the window is smaller than the ring.
        """
        number = self._numbers.get(mark)
        is_repeated = number is not None
        if number is None:
            number = self._free_number()
        packet = msgspec.structs.replace(publish, number=number, is_repeated=is_repeated)
        self._put(number, _Sent(mark, State.SENT, publish.qos, packet))
        return packet

    def hold_back(self, mark: bytes) -> None:
        """Note that a message was not sent after all; it keeps its identifier."""
        number = self._numbers[mark]
        self._sent[number].packet = None
        _ = self._open.pop(number, None)

    def kept(self, number: int) -> Kept:
        """Return what is to be kept of a message that was sent."""
        sent = self._sent[number]
        return Kept(number, sent.mark, sent.state)

    def take(  # noqa: PLR0911 a case each
        self, ack: Ack
    ) -> tuple[bytes | None, Ack | None]:
        """Return the mark of what this acknowledges, if it does, and what is answered.

        Of QoS 2, `kept` has to be on the disk before the answer to PUBREC leaves.
        """
        sent = self._sent.get(ack.number)
        match ack.kind:
            case Kind.PUBACK if sent and sent.qos == 1 and sent.state is State.SENT:
                return self._finish(ack.number, sent), None
            case Kind.PUBREC if sent and sent.qos == 2 and sent.state is State.SENT:  # noqa: PLR2004
                if ack.reason >= Reason.UNSPECIFIED:
                    return self._finish(ack.number, sent), None
                sent.state, sent.packet = State.RELEASED, None
                return sent.mark, Ack(Kind.PUBREL, ack.number)
            case Kind.PUBREC if sent and sent.state is State.RELEASED:
                return None, Ack(Kind.PUBREL, ack.number)
            case Kind.PUBREC:
                return None, Ack(Kind.PUBREL, ack.number, Reason.NUMBER_NOT_FOUND)
            case Kind.PUBCOMP if sent and sent.state is State.RELEASED:
                _ = self._finish(ack.number, sent)
                return None, None
            case _:
                return None, None

    def again(self) -> Packets:
        """Return what a client that is back is sent again, in the order of the first time."""
        packets: list[Publish | Ack] = []
        for number, sent in self._sent.items():
            if sent.state is State.RELEASED:
                packets.append(Ack(Kind.PUBREL, number))
            elif sent.packet is not None:
                packets.append(msgspec.structs.replace(sent.packet, is_repeated=True))
        return tuple(packets)

    def drop(self, mark: bytes) -> None:
        """Forget a message: another client gets it."""
        number = self._numbers.pop(mark, None)
        if number is not None:
            del self._sent[number]
            _ = self._open.pop(number, None)

    def _finish(self, number: int, sent: _Sent) -> bytes:
        _ = self._open.pop(number, None)
        sent.state, sent.packet = State.DONE, None
        return sent.mark

    def _put(self, number: int, sent: _Sent) -> None:
        # The newest last, also when a number is used again.
        before = self._sent.pop(number, None)
        if before is not None:
            _ = self._numbers.pop(before.mark, None)
        self._sent[number] = sent
        self._numbers[sent.mark] = number
        if sent.state is State.RELEASED or sent.packet is not None:
            self._count += 1
            self._open[number] = self._count

    def _free_number(self) -> int:
        """Return one that nobody waits for; else one that pubsub did not come back to."""
        for is_last_resort in (False, True):
            for _ in range(RING):
                number, self._next = self._next, self._next % RING + 1
                sent = self._sent.get(number)
                if sent is None or sent.state is State.DONE:
                    return number
                if is_last_resort and number not in self._open:
                    return number
        raise AssertionError(f"{RING} messages on their way at once")
