"""The exit: streams of a circuit go on to servers from here.

A stream with an even number came by a circuit, its partner `number | 1` goes on. Each says first
what it is for; the answer is one status. What waits for an answer of others, or of a server, is in
the ephemeral store, as is who has how many.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address
from itertools import islice

import msgspec

from ei.sdk import (
    Address,
    CancelTimer,
    CloseStream,
    Context,
    Count,
    Effect,
    Legacy,
    Meter,
    OpenStream,
    Query,
    Resolve,
    SetTimer,
    SpliceStreams,
    StreamClosed,
    StreamOpened,
    Table,
    WriteStream,
)
from ei.services.relay import asking
from ei.services.relay.admission import Wait, admit, grant_of, no, tell_keys
from ei.services.relay.config import Config
from ei.services.relay.messages import (
    MAX_DETAIL,
    OPEN,
    Admission,
    KeysOf,
    Status,
    To,
    read_opening,
    write_status,
)

WAITING, GOING_ON = b"w", b"g"
"""Of timers: a stream that has waited for long enough, and what many have waited for."""

OVER = {"ended", "closed"}
"""Reasons after which the partner is closed already: by its own end, or by this service."""

STREAM_BYTES = 8
MOST_AT_ONCE = 256

SENTENCES = {
    "refused": "{target} accepts no connection",
    "unreachable": "node {node} does not reach {target}, or finds no address of that name",
    "not_allowed": "the operator of node {node} does not allow {target}",
    "deadline": "{target} has not answered within {s:g} s",
    "too_many_streams": "node {node} carries as many streams as it may, of this token or of all",
    "not_admitted": "no token was shown on this circuit, or node {node} has begun anew",
    "token_over": "the token of this circuit was good for {token_s:g} s",
}
ENDED = "the stream from node {node} to {target} has ended: {reason}"


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A stream that waits for an answer of others; when that comes, it is as if opened now."""

    peer: Address
    opening: bytes


class Carried(msgspec.Struct, frozen=True, array_like=True):
    """A stream to a server.

    Attributes:
        grant: Name of what it shares with others.
        target: For people; empty as soon as it is open.
    """

    grant: bytes
    target: str


def begin(opened: StreamOpened, ctx: Context[Config]) -> Iterator[Effect]:
    """Do what a stream that a host has opened is for."""
    yield from _do(opened.stream, Waiting(opened.peer, opened.opening), ctx, is_last=False)


def join(opened: StreamOpened, ctx: Context[Config]) -> Iterator[Effect]:
    """Join the two, now that the server has answered."""
    stream = opened.stream ^ 1
    found = _carried(ctx).get(_key(stream))
    if found is None or not found.target:  # whoever wanted it is gone
        yield CloseStream(opened.stream)
        return
    _carried(ctx).put(_key(stream), msgspec.structs.replace(found, target=""))
    config = ctx.config
    meter = Meter(found.grant, config.token_bytes_per_s, config.token_burst_bytes)
    yield WriteStream(stream, write_status(OPEN))
    yield SpliceStreams(stream, opened.stream, idle_s=config.idle_s, meter=meter)


def end(closed: StreamClosed, ctx: Context[Config]) -> Iterator[Effect]:
    """Say why there is no other end; or give that up when nobody waits for it any more."""
    stream = closed.stream & ~1
    found = _carried(ctx).get(_key(stream))
    if closed.stream == stream:
        yield from _forget_waiting(stream, ctx)
        _release(stream, found, ctx)
        if found is not None and (found.target or closed.reason not in OVER):
            yield CloseStream(stream | 1)
    elif found is not None and found.target:
        _carried(ctx).put(_key(stream), msgspec.structs.replace(found, target=""))
        yield from _say(stream, _why_not(closed.reason, found.target, ctx))
    elif closed.reason not in OVER:
        yield CloseStream(stream)


def give_up(key: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Answer a stream that has waited for long enough by what is known."""
    if len(key) == STREAM_BYTES:
        yield from _again(int.from_bytes(key, "big"), ctx, is_last=True)


def go_on_after(what: Query | Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Go on with the streams that waited for a record, or for the keys of an issuer."""
    yield from go_on(_cause(what), ctx)


def go_on(cause: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Go on with streams that waited for the same, some now and the others right after."""
    waiting = [key for key, _ in islice(_by_cause(ctx).scan(cause), MOST_AT_ONCE + 1)]
    for key in waiting[:MOST_AT_ONCE]:
        yield from _again(int.from_bytes(key[-STREAM_BYTES:], "big"), ctx, is_last=False)
    if len(waiting) > MOST_AT_ONCE:
        yield SetTimer(GOING_ON + cause, 0.0)


# -- what an opening asks for ---------------------------------------------------------------------


def _do(stream: int, waiting: Waiting, ctx: Context[Config], *, is_last: bool) -> Iterator[Effect]:
    try:
        asked = read_opening(waiting.opening)
    except ValueError as error:
        yield from _say(stream, Status("bad_opening", str(error)[:MAX_DETAIL]))
        return
    match asked:
        case KeysOf():
            answer = tell_keys(asked, waiting.peer, ctx, is_last=is_last)
        case Admission():
            answer = admit(asked, waiting.peer, ctx, is_last=is_last)
        case To():
            yield from _carry(stream, waiting.peer, asked, ctx)
            return
    if isinstance(answer, Wait) and not is_last:
        yield from _wait(stream, waiting, answer, ctx)
        return
    status = answer if isinstance(answer, Status) else no("unknown_operator", ctx)
    if isinstance(asked, Admission):
        yield Count("refused" if status.word else "admitted")
    yield from _say(stream, status)


def _carry(stream: int, peer: Address, asked: To, ctx: Context[Config]) -> Iterator[Effect]:
    grant, target = grant_of(peer, asked.grant, ctx), _spelled(asked.target)
    if grant is None:
        yield from _say(stream, _why_not("not_admitted", target, ctx))
    elif grant.until_s <= ctx.now_s:
        yield from _say(stream, _why_not("token_over", target, ctx))
    elif (count := _counts(ctx).get(asked.grant) or 0) >= ctx.config.token_streams:
        yield from _say(stream, _why_not("too_many_streams", target, ctx))
    else:
        _counts(ctx).put(asked.grant, count + 1)
        _carried(ctx).put(_key(stream), Carried(asked.grant, target))
        yield OpenStream(stream | 1, asked.target, deadline_s=ctx.config.open_s)


def _say(stream: int, status: Status) -> Iterable[Effect]:
    """Say what is the last word of a stream."""
    yield WriteStream(stream, write_status(status), is_end=True)
    yield CloseStream(stream)


def _why_not(word: str, target: str, ctx: Context[Config]) -> Status:
    said = SENTENCES.get(word, ENDED).format(
        node=IPv6Address(ctx.node), target=target, s=ctx.config.open_s, reason=word,
        token_s=ctx.config.token_s,
    )  # fmt: skip
    return Status(word, said[:MAX_DETAIL])


def _spelled(target: Legacy) -> str:
    """Write a target as people do."""
    return f"{target.host}:{target.port}" + ("/udp" if target.transport == "udp" else "")


# -- what waits -----------------------------------------------------------------------------------


def _wait(stream: int, waiting: Waiting, wait: Wait, ctx: Context[Config]) -> Iterator[Effect]:
    what = wait.issuer if wait.query is None else wait.query
    _waiting(ctx).put(_key(stream), waiting)
    _causes(ctx).put(_key(stream), _cause(what))
    _by_cause(ctx).put(_cause(what) + _key(stream), 1)
    yield SetTimer(WAITING + _key(stream), ctx.config.ask_s)
    if wait.query is not None:
        yield Resolve(wait.query)
    else:
        yield from asking.ask(wait.issuer, ctx)


def _again(stream: int, ctx: Context[Config], *, is_last: bool) -> Iterator[Effect]:
    waiting = _waiting(ctx).get(_key(stream))
    if waiting is not None:
        yield from _forget_waiting(stream, ctx)
        yield from _do(stream, waiting, ctx, is_last=is_last)


def _forget_waiting(stream: int, ctx: Context[Config]) -> Iterator[Effect]:
    cause = _causes(ctx).get(_key(stream))
    if cause is not None:
        _waiting(ctx).delete(_key(stream))
        _causes(ctx).delete(_key(stream))
        _by_cause(ctx).delete(cause + _key(stream))
        yield CancelTimer(WAITING + _key(stream))


def _release(stream: int, carried: Carried | None, ctx: Context[Config]) -> None:
    """Count a stream no more."""
    if carried is None:
        return
    _carried(ctx).delete(_key(stream))
    left = (_counts(ctx).get(carried.grant) or 0) - 1
    if left > 0:
        _counts(ctx).put(carried.grant, left)
    else:
        _counts(ctx).delete(carried.grant)


def _cause(what: Query | Address) -> bytes:
    """Return what it is that a stream waits for, as a key: a query, or an issuer."""
    return what if isinstance(what, bytes) else msgspec.msgpack.encode(what)


def _waiting(ctx: Context[Config]) -> Table[Waiting]:
    """Return the streams that wait."""
    return Table(ctx.ephemeral, "waiting", Waiting)


def _causes(ctx: Context[Config]) -> Table[bytes]:
    """Return what a stream waits for."""
    return Table(ctx.ephemeral, "cause", bytes)


def _by_cause(ctx: Context[Config]) -> Table[int]:
    """Return which streams wait for something: that, then the stream."""
    return Table(ctx.ephemeral, "waits", int)


def _carried(ctx: Context[Config]) -> Table[Carried]:
    """Return the streams that go on to a server, or are to."""
    return Table(ctx.ephemeral, "carried", Carried)


def _counts(ctx: Context[Config]) -> Table[int]:
    """Return how many streams there are of a grant."""
    return Table(ctx.ephemeral, "streams", int)


def _key(stream: int) -> bytes:
    return stream.to_bytes(STREAM_BYTES, "big")
