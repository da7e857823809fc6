"""The resolver of a target's operator, asked by UDP from several ports, each for a while.

A question gets a number that was drawn for it, on a port that the kernel drew; an answer counts
that has number and question. So whoever cannot read between node and resolver guesses in vain.
What the resolver leaves without an answer is forgotten after a while: who asked asks again, or not.
"""

from collections.abc import Iterable, Iterator

import msgspec

from ei.sdk import (
    Address,
    CloseStream,
    Context,
    Count,
    Effect,
    OpenStream,
    ReadStream,
    SendPacket,
    ServiceError,
    SetTimer,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    Table,
    WriteStream,
)
from ei.services.odns.config import Config, resolver_of
from ei.services.odns.messages import (
    MAX_ANSWER_BYTES,
    answer_plaintext_bytes,
    answers,
    back,
    packet_of,
    refused,
)
from ei.services.odns.odoh import PLAINTEXT_OVERHEAD, Answering, seal_answer

TIMER = b"ports"
TICK_S = 1.0
_OWN = 1 << 62 | 1
"""Streams of this are odd, and none that others opened is near them."""

_ID_BYTES = 2
_LENGTH_BYTES = 2
_PORT_IDLE_S = 3_600.0
_DRAWN_BITS = 16
"""Of the choice of a port: of 64 none is preferred by more than a thousandth. `randrange` draws
twice for each eight of them, on average."""


class Asked(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A question that the resolver has.

    Attributes:
        hop, source, connection, proxy: Of the packet that brought it, and gets the answer.
        question: Section that the answer must have.
        by: Seals the answer.
        slot: When it was asked, see `Pool`.
    """

    hop: Address
    source: Address
    connection: int
    proxy: Address
    question: bytes
    by: Answering
    slot: int


class Port(msgspec.Struct, gc=False, array_like=True):
    """One socket.

    Attributes:
        stream: Its number.
        ends_s: It asks nothing more from then on.
        window: Bytes that may be written; 0 while it is not open.
        questions: That it asked.
        rest: What was read of a datagram that is not whole.
    """

    stream: int
    ends_s: float
    window: int = 0
    questions: int = 0
    rest: bytes = b""


class Pool(msgspec.Struct, array_like=True):
    """All of them.

    Attributes:
        asked: Second to peer to its questions of then that have no answer yet.
    """

    ports: list[Port] = []
    asked: dict[int, dict[bytes, int]] = {}

    def count(self, peer: bytes) -> tuple[int, int]:
        """Return how many questions have no answer yet, in all and of one peer."""
        total = own = 0
        for slot in self.asked.values():
            total += sum(slot.values())
            own += slot.get(peer, 0)
        return total, own


def begin(ctx: Context[Config]) -> Iterable[Effect]:
    """Open all ports."""
    return tick(ctx)


def tick(ctx: Context[Config]) -> Iterable[Effect]:
    """Replace ports whose time is over, and forget questions that have waited too long."""
    pool = _load(ctx)
    ended = [slot for slot in pool.asked if slot < slot_at(ctx.now_s - ctx.config.asked_s)]
    if silent := sum(sum(pool.asked.pop(slot).values()) for slot in ended):
        yield Count("resolver_silent", silent)
    kept: list[Port] = []
    for port in pool.ports:
        if port.ends_s + ctx.config.asked_s <= ctx.now_s:
            yield CloseStream(port.stream)
        else:
            kept.append(port)
    pool.ports = kept
    asking = [port for port in kept if _asks(port, ctx)]
    for _ in range(ctx.config.sockets - len(asking)):
        port = Port(ctx.random.getrandbits(61) << 1 | _OWN, ctx.now_s + ctx.config.socket_s)
        pool.ports.append(port)
        yield OpenStream(port.stream, resolver_of(ctx.config.resolver), deadline_s=5.0)
    _save(pool, ctx)
    yield SetTimer(TIMER, TICK_S)


def ask(dns: bytes, asked: Asked, ctx: Context[Config]) -> tuple[Effect, ...] | str:
    """Ask the resolver; or return the word for why not."""
    pool = _load(ctx)
    total, own = pool.count(asked.hop)
    # Each may have as many as are free: one alone half of all, and another one still its part.
    if own >= ctx.config.asked - total:
        return "too_many"
    needed = _LENGTH_BYTES + len(dns)
    ports = [port for port in pool.ports if port.window >= needed and _asks(port, ctx)]
    if not ports:
        return "resolver_lost"
    port = ports[ctx.random.getrandbits(_DRAWN_BITS) % len(ports)]
    table = _table(ctx)
    number = ctx.random.randbytes(_ID_BYTES)
    while table.get(_key(port.stream, number)) is not None:
        number = ctx.random.randbytes(_ID_BYTES)
    try:
        table.put(_key(port.stream, number), asked, ttl_s=ctx.config.asked_s)
    except ServiceError:
        return "too_many"
    port.window -= needed
    port.questions += 1
    of_now = pool.asked.setdefault(asked.slot, {})
    of_now[asked.hop] = of_now.get(asked.hop, 0) + 1
    _save(pool, ctx)
    datagram = len(dns).to_bytes(_LENGTH_BYTES, "little") + number + dns[_ID_BYTES:]
    return (WriteStream(port.stream, datagram),)


def slot_at(time_s: float) -> int:
    """Return the second that contains a time."""
    return int(time_s)


def is_port(stream: int) -> bool:
    """Return whether a stream is, or was, one of the ports."""
    return stream & _OWN == _OWN


def hear(event: StreamEvent, ctx: Context[Config]) -> Iterable[Effect]:
    """Take what happens to a port."""
    pool = _load(ctx)
    port = next((port for port in pool.ports if port.stream == event.stream), None)
    if port is None:  # it was replaced
        return
    match event:
        case StreamOpened(window=window):
            port.window = window
            yield ReadStream(port.stream, idle_s=_PORT_IDLE_S)
        case StreamWritable(window=window):
            port.window = window
        case StreamData(data=data):
            for dns in _datagrams(port, data):
                yield from _answer(port, dns, pool, ctx)
            yield ReadStream(port.stream, idle_s=_PORT_IDLE_S)
        case StreamClosed():
            pool.ports.remove(port)
    _save(pool, ctx)


def _answer(port: Port, dns: bytes, pool: Pool, ctx: Context[Config]) -> Iterator[Effect]:
    key = _key(port.stream, dns[:_ID_BYTES])
    asked = _table(ctx).get(key)
    if asked is None or not answers(dns, asked.question):
        yield Count("not_of_a_question")
        return
    if len(dns) + PLAINTEXT_OVERHEAD > MAX_ANSWER_BYTES:
        yield from _refuse(key, asked, "too_long", pool, ctx)
        return
    _forget(key, asked, pool, ctx)
    message = seal_answer(
        asked.by,
        bytes(_ID_BYTES) + dns[_ID_BYTES:],
        plaintext_bytes=answer_plaintext_bytes(len(dns)),
    )
    yield Count("answered")
    yield _back(asked, message)


def _refuse(
    key: bytes, asked: Asked, word: str, pool: Pool, ctx: Context[Config]
) -> Iterator[Effect]:
    _forget(key, asked, pool, ctx)
    yield Count(word)
    yield _back(asked, refused(word))


def _forget(key: bytes, asked: Asked, pool: Pool, ctx: Context[Config]) -> None:
    _table(ctx).delete(key)
    of_then = pool.asked.get(asked.slot, {})
    if of_then.get(asked.hop, 0) > 1:
        of_then[asked.hop] -= 1
    else:
        _ = of_then.pop(asked.hop, None)


def _back(asked: Asked, payload: bytes) -> SendPacket:
    packet = packet_of(asked.source, asked.connection, back(asked.proxy), payload)
    return SendPacket(packet, asked.hop)


def _datagrams(port: Port, data: bytes) -> Iterator[bytes]:
    read = port.rest + data
    at = 0
    while len(read) >= at + _LENGTH_BYTES:
        end = at + _LENGTH_BYTES + int.from_bytes(read[at : at + _LENGTH_BYTES], "little")
        if end > len(read):
            break
        yield read[at + _LENGTH_BYTES : end]
        at = end
    port.rest = read[at:]


def _asks(port: Port, ctx: Context[Config]) -> bool:
    return port.ends_s > ctx.now_s and port.questions < ctx.config.socket_questions


def _key(stream: int, number: bytes) -> bytes:
    return stream.to_bytes(8, "big") + number


def _table(ctx: Context[Config]) -> Table[Asked]:
    return Table(ctx.ephemeral, "asked", Asked)


def _load(ctx: Context[Config]) -> Pool:
    return Table(ctx.ephemeral, "pool", Pool).get(b"") or Pool([], {})


def _save(pool: Pool, ctx: Context[Config]) -> None:
    Table(ctx.ephemeral, "pool", Pool).put(b"", pool)
