"""Questions asked over TCP, or whose answers are too long for a packet: one by each stream.

    host ══▶ proxy ══▶ (nodes between) ══▶ target ──TCP──▶ resolver

The same messages as in packets go there and back. All but the target splice: a stream with an even
number came here, its partner `number | 1` goes on. The proxy that opens it is a peer of its own to
the target, so that a host shows itself to its proxy alone.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from ei.sdk import (
    Address,
    AtNode,
    CloseStream,
    Context,
    Count,
    Effect,
    Legacy,
    OpenStream,
    Query,
    ReadStream,
    Resolve,
    SpliceStreams,
    StreamClosed,
    StreamData,
    StreamOpened,
    Table,
    WriteStream,
    domain_number_of,
    towards,
)
from ei.services.odns import permits, target
from ei.services.odns.config import Config, resolver_of
from ei.services.odns.messages import (
    LENGTH_BYTES,
    Kind,
    Way,
    answer_plaintext_bytes,
    answers,
    packet_of,
    pass_on,
    read_way,
    refused,
)
from ei.services.odns.odoh import Answering, seal_answer

MOST_WAITING = 256
MAX_QUERY_BYTES = 4_096
MAX_LONG_ANSWER_BYTES = 60_000
_ID_BYTES = 2
_OVER = {"ended", "closed"}


class Talk(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stream that is neither spliced nor answered yet.

    Attributes:
        peer: Who opened it.
        opening: What it is for.
        read: Of what is being read: the query, then the resolver's answer.
        dns: The question, with the number that the resolver is told.
        question: Its section.
        by: Seals the answer; `None` while there is no question.
    """

    peer: Address
    opening: bytes
    read: bytes = b""
    dns: bytes = b""
    question: bytes = b""
    by: Answering | None = None


def opened(event: StreamOpened, ctx: Context[Config]) -> Iterable[Effect]:
    """Begin, or go on now that the partner is open."""
    if event.stream % 2:
        return _join(event, ctx)
    config = ctx.config
    if not permits.take(event.peer, ctx, per_s=config.source_per_s, burst=config.source_burst):
        return _tell_not(event.stream, "too_many_of_source", ctx)
    return _begin(event.stream, Talk(event.peer, event.opening), ctx)


def go_on(query: Query, ctx: Context[Config]) -> Iterable[Effect]:
    """Go on with what waited for an answer."""
    name = msgspec.msgpack.encode(query)
    streams = _waiting(ctx).get(name) or ()
    if streams:
        _waiting(ctx).delete(name)
    for stream in streams:
        talk = _talks(ctx).get(_key(stream))
        if talk is not None:
            yield from _begin(stream, talk, ctx)


def read(event: StreamData, ctx: Context[Config]) -> Iterable[Effect]:
    """Read a query of the proxy, or an answer of the resolver."""
    stream = event.stream & ~1
    talk = _talks(ctx).get(_key(stream))
    if talk is None:
        yield CloseStream(event.stream)
        return
    piece = talk.read + event.data
    end = LENGTH_BYTES + int.from_bytes(piece[:LENGTH_BYTES], "big")
    limit = MAX_LONG_ANSWER_BYTES if event.stream % 2 else MAX_QUERY_BYTES
    if end > limit + LENGTH_BYTES:
        yield from _give_up(event, "too_long", ctx)
    elif LENGTH_BYTES <= end <= len(piece):
        message = piece[LENGTH_BYTES:end]
        if event.stream % 2:
            yield from _answer(stream, talk, message, ctx)
        else:
            yield from _ask(stream, talk, message, ctx)
    elif event.is_end:
        yield from _give_up(event, "resolver_lost" if event.stream % 2 else "not_opened", ctx)
    else:
        _talks(ctx).put(_key(stream), replace(talk, read=piece))
        yield ReadStream(event.stream, idle_s=ctx.config.idle_s)


def closed(event: StreamClosed, ctx: Context[Config]) -> Iterable[Effect]:
    """Say why there is no other end; or give that up when nobody waits for it any more."""
    stream = event.stream & ~1
    talk = _talks(ctx).get(_key(stream))
    if talk is None:
        if event.reason not in _OVER:
            yield CloseStream(event.stream ^ 1)
    elif event.stream == stream:
        _talks(ctx).delete(_key(stream))
        yield CloseStream(stream | 1)
    else:
        yield from _tell_not(stream, "resolver_lost" if talk.by is not None else "no_way", ctx)


def _begin(stream: int, talk: Talk, ctx: Context[Config]) -> Iterable[Effect]:
    way = read_way(talk.opening)
    if way is None or way.kind == Kind.BACK:
        return _tell_not(stream, "bad_message", ctx)
    word = _why_not(talk.peer, way, ctx)
    if not isinstance(word, str):
        return _wait(stream, talk, word, ctx)
    if word:
        return _tell_not(stream, word, ctx)
    if way.kind == Kind.PASS and way.target == ctx.node:
        _talks(ctx).put(_key(stream), talk)
        return (ReadStream(stream, idle_s=ctx.config.idle_s),)
    return _open_onward(stream, talk, way, ctx)


def _why_not(peer: Address, way: Way, ctx: Context[Config]) -> str | Query:
    """Return why nothing is done for a peer: hosts ask, and nodes pass on."""
    is_node = permits.is_node(peer, ctx)
    if not isinstance(is_node, bool):
        return is_node
    if way.kind == Kind.ASK:
        is_own = not is_node or domain_number_of(peer) == ctx.domain
        return permits.why_not(way.target, ctx) if is_own else "bad_source"
    if not is_node:
        return "no_proxy"
    return permits.why_not_with(way.proxy, ctx) if way.target == ctx.node else ""


def _open_onward(stream: int, talk: Talk, way: Way, ctx: Context[Config]) -> Iterable[Effect]:
    packet = packet_of(talk.peer, 0, b"", b"")
    found = towards((way.target,), packet, ctx)
    if not isinstance(found, tuple):
        return _wait(stream, talk, found, ctx)
    if not found or not found[0].is_up:
        return _tell_not(stream, "no_way", ctx)
    _talks(ctx).put(_key(stream), talk)
    proxy = ctx.node if way.kind == Kind.ASK else way.proxy
    onward = AtNode(found[0].hop, pass_on(way.target, proxy))
    return (OpenStream(stream | 1, onward, deadline_s=ctx.config.open_s),)


def _wait(stream: int, talk: Talk, query: Query, ctx: Context[Config]) -> Iterable[Effect]:
    name = msgspec.msgpack.encode(query)
    streams = _waiting(ctx).get(name) or ()
    if len(streams) >= MOST_WAITING:
        return _tell_not(stream, "too_many", ctx)
    _talks(ctx).put(_key(stream), talk)
    _waiting(ctx).put(name, (*streams, stream), ttl_s=ctx.config.idle_s)
    return (Resolve(query),)


def _join(event: StreamOpened, ctx: Context[Config]) -> Iterable[Effect]:
    stream = event.stream & ~1
    talk = _talks(ctx).get(_key(stream))
    if talk is None:  # whoever wanted it is gone
        yield CloseStream(event.stream)
    elif talk.by is None:
        _talks(ctx).delete(_key(stream))
        yield SpliceStreams(stream, event.stream, idle_s=ctx.config.idle_s)
    else:
        yield WriteStream(event.stream, _sized(talk.dns))
        yield ReadStream(event.stream, idle_s=ctx.config.idle_s)


def _ask(stream: int, talk: Talk, message: bytes, ctx: Context[Config]) -> Iterable[Effect]:
    found = target.open_and_check(message, ctx)
    if isinstance(found, str):
        return _tell_not(stream, found, ctx)
    dns = ctx.random.randbytes(_ID_BYTES) + found.dns[_ID_BYTES:]
    asked = replace(talk, read=b"", dns=dns, question=found.question, by=found.by)
    _talks(ctx).put(_key(stream), asked)
    resolver = resolver_of(ctx.config.resolver)
    to = Legacy(resolver.host, resolver.port)
    return (OpenStream(stream | 1, to, deadline_s=ctx.config.open_s),)


def _answer(stream: int, talk: Talk, dns: bytes, ctx: Context[Config]) -> Iterable[Effect]:
    if (
        talk.by is None
        or dns[:_ID_BYTES] != talk.dns[:_ID_BYTES]
        or not answers(dns, talk.question)
    ):
        yield Count("not_of_a_question")
        yield from _tell_not(stream, "resolver_lost", ctx)
        yield CloseStream(stream | 1)
        return
    _talks(ctx).delete(_key(stream))
    plain = bytes(_ID_BYTES) + dns[_ID_BYTES:]
    sealed = seal_answer(talk.by, plain, plaintext_bytes=answer_plaintext_bytes(len(plain)))
    yield Count("answered")
    yield WriteStream(stream, _sized(sealed), is_end=True)
    yield CloseStream(stream | 1)


def _give_up(event: StreamData, word: str, ctx: Context[Config]) -> Iterable[Effect]:
    yield from _tell_not(event.stream & ~1, word, ctx)
    if event.stream % 2:
        yield CloseStream(event.stream)


def _tell_not(stream: int, word: str, ctx: Context[Config]) -> Iterable[Effect]:
    _talks(ctx).delete(_key(stream))
    yield Count("streams_refused")
    yield WriteStream(stream, _sized(refused(word)), is_end=True)
    yield CloseStream(stream)


def _sized(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def _key(stream: int) -> bytes:
    return stream.to_bytes(8, "big")


def _waiting(ctx: Context[Config]) -> Table[tuple[int, ...]]:
    """Return the streams that wait, by query."""
    return Table(ctx.ephemeral, "until", tuple[int, ...])


def _talks(ctx: Context[Config]) -> Table[Talk]:
    return Table(ctx.ephemeral, "talks", Talk)
