"""Storming: asks for more than it may, in the way that its metadata names."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count

from ei.sdk import Context, DropPacket, Effect, Packet, PacketArrived, SendPacket, Service, SetTimer

MILLION = 1_000_000


def endless(packet: Packet, _ctx: Context[None]) -> Iterator[Effect]:
    """Never end."""
    while True:
        yield SendPacket(packet, packet.ingress)


def million(packet: Packet, _ctx: Context[None]) -> Iterable[Effect]:
    """Ask for them all at once."""
    return (SendPacket(packet, packet.ingress),) * MILLION


def timers(_packet: Packet, _ctx: Context[None]) -> Iterator[Effect]:
    """Arm one after the other."""
    for number in count():
        yield SetTimer(number.to_bytes(8, "little"), 3_600.0)


def randomness(_packet: Packet, ctx: Context[None]) -> Iterable[Effect]:
    """Draw a number that no memory holds."""
    _ = ctx.random.getrandbits(2**40)
    return ()


WAYS: Mapping[bytes, Callable[[Packet, Context[None]], Iterable[Effect]]] = {
    b"endless": endless,
    b"million": million,
    b"timers": timers,
    b"randomness": randomness,
}


class Storming(Service[None]):
    """Asks."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Ask for what is named, if anything is."""
        if event.packet.metadata in WAYS:
            return WAYS[event.packet.metadata](event.packet, ctx)
        return (DropPacket("calm"),)


SERVICE = Storming
