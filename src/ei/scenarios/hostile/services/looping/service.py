"""Looping: computes without end, as its metadata says; hands on what is for others."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from ei.sdk import Context, DropPacket, Effect, PacketArrived, Service, hand_on

LOOPING = 0xF000_0021


def loop() -> None:
    """Make one instruction after the other."""
    while True:
        pass


def hold_on() -> None:
    """Do so, and swallow whatever is raised to end it."""
    while True:
        with suppress(BaseException):
            loop()


WAYS: Mapping[bytes, Callable[[], object]] = {
    b"loop": loop,
    b"hold on": hold_on,
    b"one call": lambda: sum(range(10**12)),
    b"expression": lambda: re.fullmatch("(a+)+b", "a" * 40),
    b"number": lambda: 7 ** (10**8),
}


class Looping(Service[None]):
    """Computes."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Do what is named, if anything is."""
        packet = event.packet
        if packet.service != LOOPING:
            return hand_on(packet, ttl_s=1.0)
        _ = WAYS.get(packet.metadata, bool)()
        return (DropPacket("calm"),)


SERVICE = Looping
