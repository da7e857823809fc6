"""Register: writes and reads registers, adds to sets and lists them; an answer acknowledges.

A request is msgpack of `Request`, its answer of `Answer`, on the connection of the request. A
member that does not own the state never gets here.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Literal

import msgspec

from ei.sdk import Context, DropPacket, Effect, PacketArrived, SendPacket, Service

PAGE = 50
"""Values of a set in one answer: as many as fit into a packet."""


class Request(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is asked for.

    Attributes:
        number: Comes back in the answer.
        value: Written or added; of a list, the value after which it is to begin.
    """

    number: int
    kind: Literal["write", "read", "add", "list"]
    key: str
    value: str


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What there is; `values` are those of a set, in order, at most `PAGE`."""

    number: int
    value: str | None
    values: tuple[str, ...]


class Register(Service[None]):
    """Keeps registers and sets."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Do what is asked, and say so."""
        packet = event.packet
        try:
            request = _requests.decode(packet.payload)
        except msgspec.MsgspecError:
            return (DropPacket("bad_request"),)
        answer = msgspec.msgpack.encode(_done(request, ctx))
        back = msgspec.structs.replace(packet, payload=answer)
        return (SendPacket(back, packet.ingress),)


def _done(request: Request, ctx: Context[None]) -> Answer:
    store, key = ctx.stable, request.key.encode()
    value: str | None = None
    values: tuple[str, ...] = ()
    match request.kind:
        case "write":
            store.put(b"register/" + key, request.value.encode())
        case "read":
            kept = store.get(b"register/" + key)
            value = None if kept is None else kept.decode()
        case "add":
            store.put(b"set/" + key + b"/" + request.value.encode(), b"")
        case "list":
            prefix = b"set/" + key + b"/"
            first = prefix + request.value.encode()
            found = (each for each, _ in store.scan(prefix) if each > first)
            values = tuple(each.removeprefix(prefix).decode() for each in islice(found, PAGE))
    return Answer(request.number, value, values)


_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)

SERVICE = Register
