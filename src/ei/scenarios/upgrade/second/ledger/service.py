"""Ledger: keeps every number that it is sent, and acknowledges what is kept.

    number (8)            ─▶  version (1), number (8)      once it is in stable storage
    "?" (1), page (8)     ─▶  "?" (1), page (8), bits      which of 1,024 numbers are kept

Ledgers of neighbours greet one another. This version counts, and has one more thing to say to them.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import (
    Context,
    ControlArrived,
    Count,
    DropPacket,
    Effect,
    PacketArrived,
    PeerChanged,
    SendControl,
    SendPacket,
    Service,
)

VERSION = 2
PAGE = 1_024
NUMBER_BYTES = 8
QUESTION = b"?"


class Hello(msgspec.Struct, frozen=True, tag="hello", forbid_unknown_fields=True):
    """A neighbour is there."""

    version: int


class Welcome(msgspec.Struct, frozen=True, tag="welcome", forbid_unknown_fields=True):
    """The answer to that."""

    version: int


class Counted(msgspec.Struct, frozen=True, tag="counted", forbid_unknown_fields=True):
    """How many numbers a neighbour has kept. The version before knows no such message."""

    numbers: int


MESSAGES = Hello | Welcome | Counted


class Ledger(Service[None]):
    """Keeps numbers."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Keep a number, or tell which are kept."""
        packet = event.packet
        asked = packet.payload
        if len(asked) == NUMBER_BYTES:
            _keep(int.from_bytes(asked), ctx)
            said = bytes([VERSION]) + asked
            answer = msgspec.structs.replace(packet, payload=said)
            return (Count("numbers"), SendPacket(answer, packet.ingress))
        if len(asked) == 1 + NUMBER_BYTES and asked[:1] == QUESTION:
            answer = msgspec.structs.replace(packet, payload=asked + _page(asked[1:], ctx))
            return (SendPacket(answer, packet.ingress),)
        return (DropPacket("bad_request"),)

    def on_peer(self, event: PeerChanged, ctx: Context[None]) -> Iterable[Effect]:
        """Greet who comes."""
        if not event.is_up:
            return ()
        counted = Counted(int.from_bytes(ctx.stable.get(b"total") or b""))
        return (SendControl(Hello(VERSION), event.peer), SendControl(counted, event.peer))

    def on_control(self, event: ControlArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Answer a greeting."""
        match event.message:
            case Hello():
                return (Count("hellos"), SendControl(Welcome(VERSION), event.sender))
            case Welcome():
                return (Count("welcomes"),)
            case _:
                return ()


def _page(number: bytes, ctx: Context[None]) -> bytes:
    return ctx.stable.get(b"page/" + number) or bytes(PAGE // 8)


def _keep(number: int, ctx: Context[None]) -> None:
    page, place = divmod(number, PAGE)
    name = page.to_bytes(NUMBER_BYTES)
    bits = int.from_bytes(_page(name, ctx)) | 1 << place
    ctx.stable.put(b"page/" + name, bits.to_bytes(PAGE // 8))
    total = int.from_bytes(ctx.stable.get(b"total") or b"") + 1
    ctx.stable.put(b"total", total.to_bytes(NUMBER_BYTES))


SERVICE = Ledger
