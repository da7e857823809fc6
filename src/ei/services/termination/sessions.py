"""Streams of hosts that outlive what carries them.

    host ══ first node ══ exit ── server        the first node dies
    host ══ another    ══ exit ── server        its session goes on: same server, no byte lost

The exit keeps the last bytes of the server natively (`SpliceStreams.keep_bytes`), and here what
is joined to what. A session is known by a random number of the host's, which nobody can guess.
While nothing carries it, it is parked for a time, and so many at most of the streams that came by
one peer. One that ended well lingers: its last bytes may still be on their way.

    carried ──stream lost──▶ parked ──resumed──▶ carried
       │                       └──too long───▶ closed
       └──resumed before the loss was noticed──▶ waits for the old stream's end ──▶ carried
"""

from collections.abc import Generator, Iterable
from ipaddress import IPv6Address
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from ei.sdk import (
    MAX_KEEP_BYTES,
    Address,
    CancelTimer,
    CloseStream,
    Context,
    Count,
    Effect,
    SetTimer,
    SpliceStreams,
    StreamClosed,
    StreamOpened,
    Table,
    WriteStream,
)
from ei.services.termination.messages import OPEN, Status, write_status

BROKEN = frozenset({"lost", "closed"})
"""Ends of a stream after which its host may come back: `closed` is by a resumption."""

NOT_KEPT = "node {node} does not keep that stream, or not any more"
REPLACED = "another stream takes the place of the lost one"


class Limits(msgspec.Struct, frozen=True):
    """What a session needs of the configuration; times in seconds.

    Attributes:
        idle_s: How long a stream may be silent, up to a day.
        keep_bytes: Of what a server sent last, for each stream, 0 to 16 MiB. The default is what
            may be on its way to a host at most: windows of 1 MiB between nodes, of a quarter in the
            first node, of 8 MiB to the host.
        resume_s: How long a session is kept that nothing carries.
        linger_s: How long one is kept that has ended well.
        most_parked: How many that came by one peer are kept so, and as many that have ended well.
    """

    idle_s: Annotated[float, Meta(gt=0, le=86_400)]
    keep_bytes: Annotated[int, Meta(ge=0, le=MAX_KEEP_BYTES)]
    resume_s: Annotated[float, Meta(gt=0, le=600)]
    linger_s: Annotated[float, Meta(gt=0, le=600)]
    most_parked: Annotated[int, Meta(ge=0, le=65_536)]


LimitsT = TypeVar("LimitsT", bound=Limits)


class Session(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One stream of a host, whatever carries it.

    Attributes:
        onward: Number of the stream to the other end.
        stream: Of the one that carries it; 0: none does.
        peer: By whom that came, or the last one.
        taken: Bytes of the host that earlier ones have brought.
        waiting: Of the one that takes its place as soon as it has ended; 0: none.
        has: How many bytes of the other end the host of that has.
        counted: While it waits for a stream, with a timer, what it is counted by; else empty.
    """

    onward: int
    stream: int
    peer: Address
    taken: int = 0
    waiting: int = 0
    has: int = 0
    counted: bytes = b""


def begin(session: Session, name: bytes, ctx: Context[LimitsT]) -> Iterable[Effect]:
    """Begin a session whose both streams are open, and keep what its server sends from now on."""
    _save(name, session, ctx)
    _of_stream(ctx).put(_key(session.stream), name)
    _of_stream(ctx).put(_key(session.onward), name)
    yield WriteStream(session.stream, write_status(msgspec.structs.replace(OPEN, exit=ctx.node)))
    yield _splice(session, ctx)


def resume(event: StreamOpened, name: bytes, has: int, ctx: Context[LimitsT]) -> Iterable[Effect]:
    """Let a stream take the place of another, at once or when that has ended."""
    session = _sessions(ctx).get(name)
    if session is None:
        detail = NOT_KEPT.format(node=IPv6Address(ctx.node))
        yield from tell_not(event.stream, Status("too_late", detail))
        return
    if session.waiting:
        _of_stream(ctx).delete(_key(session.waiting))
        yield from tell_not(session.waiting, Status("too_late", REPLACED))
    _of_stream(ctx).put(_key(event.stream), name)
    if session.stream:
        _save(name, msgspec.structs.replace(session, waiting=event.stream, has=has), ctx)
        yield CloseStream(session.stream)
        return
    session = yield from _unpark(name, session, ctx)
    carried = msgspec.structs.replace(session, stream=event.stream, peer=event.peer)
    yield from _go_on(name, carried, has, ctx)


def is_known(name: bytes, ctx: Context[LimitsT]) -> bool:
    """Return whether there is a session of that name."""
    return _sessions(ctx).get(name) is not None


def is_of_session(stream: int, ctx: Context[LimitsT]) -> bool:
    """Return whether a stream is one of a session."""
    return _of_stream(ctx).get(_key(stream)) is not None


def end(event: StreamClosed, ctx: Context[LimitsT]) -> Iterable[Effect]:
    """Park a session that lost what carries it; end it for every other reason."""
    name = _of_stream(ctx).get(_key(event.stream)) or b""
    _of_stream(ctx).delete(_key(event.stream))
    session = _sessions(ctx).get(name)
    if session is None:
        return
    if event.stream == session.waiting:
        _save(name, msgspec.structs.replace(session, waiting=0), ctx)
    elif event.stream == session.onward:
        yield from _close(name, session, ctx)
    elif event.stream == session.stream:
        taken = session.taken + event.read_bytes
        lost = msgspec.structs.replace(session, stream=0, taken=taken)
        if session.waiting:
            carried = msgspec.structs.replace(lost, stream=session.waiting, waiting=0)
            yield from _go_on(name, carried, session.has, ctx)
        elif event.reason == "ended":
            yield from _park(name, lost, session.peer + b"ended", ctx.config.linger_s, ctx)
        elif event.reason in BROKEN:
            yield from _park(name, lost, session.peer, ctx.config.resume_s, ctx)
        else:
            yield from _close(name, lost, ctx)


def expire(name: bytes, ctx: Context[LimitsT]) -> Iterable[Effect]:
    """Give a session up for which nobody has come."""
    session = _sessions(ctx).get(name)
    if session is not None and session.counted:
        yield from _close(name, session, ctx)


def tell_not(stream: int, status: Status) -> Iterable[Effect]:
    """Say why not, as the last word."""
    yield WriteStream(stream, write_status(status), is_end=True)
    yield CloseStream(stream)


def _go_on(name: bytes, session: Session, has: int, ctx: Context[LimitsT]) -> Iterable[Effect]:
    _save(name, session, ctx)
    status = msgspec.structs.replace(OPEN, exit=ctx.node, taken=session.taken)
    yield WriteStream(session.stream, write_status(status))
    yield msgspec.structs.replace(_splice(session, ctx), from_byte=has)


def _splice(session: Session, ctx: Context[LimitsT]) -> SpliceStreams:
    return SpliceStreams(
        session.stream,
        session.onward,
        idle_s=ctx.config.idle_s,
        keep_bytes=ctx.config.keep_bytes,
    )


def _park(
    name: bytes, session: Session, counted: bytes, for_s: float, ctx: Context[LimitsT]
) -> Iterable[Effect]:
    parked = _parked(ctx).get(counted) or 0
    if parked >= ctx.config.most_parked:
        yield Count("not_parked")
        yield from _close(name, session, ctx)
        return
    _parked(ctx).put(counted, parked + 1)
    _save(name, msgspec.structs.replace(session, counted=counted), ctx)
    yield SetTimer(name, for_s)


def _unpark(
    name: bytes, session: Session, ctx: Context[LimitsT]
) -> Generator[Effect, None, Session]:
    if not session.counted:
        return session
    left = (_parked(ctx).get(session.counted) or 0) - 1
    if left > 0:
        _parked(ctx).put(session.counted, left)
    else:
        _parked(ctx).delete(session.counted)
    yield CancelTimer(name)
    return msgspec.structs.replace(session, counted=b"")


def _close(name: bytes, session: Session, ctx: Context[LimitsT]) -> Iterable[Effect]:
    """Forget a session; what is closed already stays so."""
    session = yield from _unpark(name, session, ctx)
    _sessions(ctx).delete(name)
    for stream in (session.onward, session.stream, session.waiting):
        if stream:
            _of_stream(ctx).delete(_key(stream))
            yield CloseStream(stream)


def _save(name: bytes, session: Session, ctx: Context[LimitsT]) -> None:
    _sessions(ctx).put(name, session)


def _sessions(ctx: Context[LimitsT]) -> Table[Session]:
    return Table(ctx.ephemeral, "sessions", Session)


def _of_stream(ctx: Context[LimitsT]) -> Table[bytes]:
    """Return the sessions that streams are of."""
    return Table(ctx.ephemeral, "of", bytes)


def _parked(ctx: Context[LimitsT]) -> Table[int]:
    """Return how many sessions of a peer wait, and how many of those that have ended well."""
    return Table(ctx.ephemeral, "parked", int)


def _key(stream: int) -> bytes:
    return stream.to_bytes(8, "big")
