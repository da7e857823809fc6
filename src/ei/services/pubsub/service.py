"""Pub/sub: what is published under a subject reaches all who want it, now, or later from a log.

    publisher ──packets──▶ A ──copies, natively──▶ subscribers, other nodes of the exchange
    publisher ══stream═══▶ A: into the log, on disk, then acknowledged
    subscriber ══stream══▶ its node ══spliced══▶ A: read from the log, as fast as it can take it

There are two ways to publish, and so two ways to subscribe. *Live* messages are packets: the first
of a subject comes here, all others are copied by decisions; who is slow loses some. *Kept* messages
are appended to the log of the publisher's node, and acknowledged when that is on all declared
copies; what is committed together costs one write to disk. Who follows the log is told each of them
in order, once it was committed, until it says that it is done with them.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from ei.sdk import (
    Address,
    AtNode,
    CloseStream,
    Context,
    ControlArrived,
    Effect,
    OpenStream,
    PacketArrived,
    PeerChanged,
    SendControl,
    Service,
    SetTimer,
    SpliceStreams,
    Started,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    TimerFired,
)
from ei.services.pubsub import live, reading
from ei.services.pubsub.config import Config
from ei.services.pubsub.desk import WAKE, Desk, Session, member_of
from ei.services.pubsub.messages import (
    MAX_DATA_BYTES,
    MESSAGES,
    Again,
    Asked,
    Follow,
    Forget,
    Forgotten,
    Hello,
    Keep,
    More,
    Record,
    Still,
    Taken,
    Unfollow,
    Want,
    Wanted,
    Welcome,
    asked,
    cut_frame,
    hello,
)
from ei.services.pubsub.subjects import is_subject

__all__ = ["MESSAGES", "SERVICE", "Config"]

FRAMES_AT_ONCE = 128
FOLLOWERS_AT_ONCE = 32
CUT_AT_ONCE = 400
"""Of more, the streams find out by themselves."""
IDLE_S = 3_600.0


class PubSub(Service[Config]):
    """Copies packets to those who want their subject, and keeps a log."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Copy to all who want it, and let the datapath do so from now on."""
        desk = Desk(ctx)
        return (*live.copy(desk, event.packet), *desk.effects())

    def on_control(self, event: ControlArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Note what hosts and nodes want."""
        desk = Desk(ctx)
        match event.message:
            case Want() as message:
                live.take(desk, event.sender, message)
            case Again() if event.sender in ctx.config.exchange:
                live.tell_all(desk, event.sender)
            case Wanted() | Again():
                pass
            case other:
                raise TypeError(f"not a message of pub/sub: {other!r}")
        return desk.effects()

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Tell a node of the exchange what is wanted here; forget what a peer that went wanted."""
        desk = Desk(ctx)
        if not event.is_up:
            live.leave(desk, event.peer)
            cut_off(desk, event.peer)
        elif event.peer in ctx.config.exchange and event.peer != ctx.node:
            live.tell_all(desk, event.peer)
        return desk.effects()

    def on_start(self, event: Started, ctx: Context[Config]) -> Iterable[Effect]:
        """Ask who is there what it wants: that is forgotten with the worker."""
        return [SendControl(Again(), to=peer) for peer in list(ctx.peers)[:2_000]]

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with what was left for another turn."""
        desk = Desk(ctx)
        stream = int.from_bytes(event.key.removeprefix(WAKE)[:8], "big")
        session = desk.session(stream)
        if session is not None and session.is_closed:
            desk.close(session)
        elif session is not None:
            take_frames(desk, session)
            go_on(desk, session)
        return desk.effects()

    def on_stream(self, event: StreamEvent, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with the stream of a host."""
        desk = Desk(ctx)
        match event:
            case StreamOpened() if event.stream % 2:
                join(desk, event)
            case StreamOpened():
                begin(desk, event)
            case StreamData():
                come(desk, event)
            case StreamWritable():
                session = desk.session(event.stream)
                if session is not None and not session.is_closed:
                    session.window = event.window
                    desk.flush(session)
                    go_on(desk, session)
            case StreamClosed():
                end(desk, event)
            case _:
                assert_never(event)
        return desk.effects()


# -- streams --------------------------------------------------------------------------------------


def begin(desk: Desk, event: StreamOpened) -> None:
    """Welcome a host, or hand it on to the node whose log it wants."""
    ctx, exchange = desk.ctx, desk.config.exchange
    try:
        opening = hello.decode(event.opening or _HELLO)
    except msgspec.MsgspecError:
        desk.order(CloseStream(event.stream))
        return
    is_between = event.peer in exchange
    if opening.at not in (b"", ctx.node):
        if is_between or opening.at not in exchange:
            desk.order(CloseStream(event.stream))
            return
        onward = msgspec.msgpack.encode(Hello(opening.at, event.peer))
        desk.passing.put(event.stream.to_bytes(8, "big"), Address(opening.at))
        desk.beyond.put(opening.at + event.stream.to_bytes(8, "big"), True)  # noqa: FBT003 a mark
        desk.order(OpenStream(event.stream | 1, AtNode(Address(opening.at), onward)))
        return
    host = Address(opening.host) if is_between and opening.host else event.peer
    session = Session(event.stream, host, event.window)
    desk.open(session)
    desk.tell(session, Welcome(ctx.node, desk.log.identity(ctx.random), exchange or (ctx.node,)))


def join(desk: Desk, event: StreamOpened) -> None:
    """Join the stream of a host to the one to the node whose log it wants."""
    key = (event.stream ^ 1).to_bytes(8, "big")
    if desk.passing.get(key) is None:  # the host is gone
        desk.order(CloseStream(event.stream))
        return
    desk.order(SpliceStreams(event.stream ^ 1, event.stream, idle_s=IDLE_S))


def end(desk: Desk, event: StreamClosed) -> None:
    """Forget a stream; what was spliced with it ends too."""
    session = desk.session(event.stream)
    key = (event.stream & ~1).to_bytes(8, "big")
    node = desk.passing.get(key)
    if node is not None:
        desk.passing.delete(key)
        desk.beyond.delete(node + key)
    if session is not None:
        desk.close(session)
    elif event.reason not in ("ended", "closed"):
        desk.order(CloseStream(event.stream ^ 1))


def cut_off(desk: Desk, node: Address) -> None:
    """End the streams that go on to a node that is gone: hosts are told at once, and try again."""
    for key, _ in list(desk.beyond.scan(node))[:CUT_AT_ONCE]:
        stream = int.from_bytes(key[len(node) :], "big")
        desk.order(CloseStream(stream), CloseStream(stream | 1))


def come(desk: Desk, event: StreamData) -> None:
    """Take what came from a host."""
    session = desk.session(event.stream)
    if (
        session is None or session.is_closed
    ):  # it was opened to one before this, whose state went to another member
        desk.order(CloseStream(event.stream))
        return
    session.is_reading = False
    session.received += event.data
    if event.is_end:
        hang_up(desk, session)
        return
    take_frames(desk, session)


def take_frames(desk: Desk, session: Session) -> None:
    """Do what whole frames ask for, some at a time."""
    position = 0
    session.is_busy = False
    try:
        for _ in range(FRAMES_AT_ONCE):
            cut = cut_frame(session.received, position)
            if cut is None:
                break
            message, position = asked.decode(cut[0]), cut[1]
            do(desk, session, message)
            if desk.is_long:
                break
        session.received = session.received[position:]
        session.is_busy = cut_frame(session.received) is not None
    except (ValueError, msgspec.MsgspecError):
        desk.count("bad_frame")
        hang_up(desk, session)
        return
    if session.is_busy:
        wake(desk, session)


def do(desk: Desk, session: Session, message: Asked) -> None:
    """Do what one frame asks for."""
    match message:
        case Keep():
            keep(desk, session, message)
        case Follow():
            reading.follow(desk, session, message)
        case More() | Unfollow():
            follower = desk.follower(member_of(session.stream, message.id))
            if follower is not None and isinstance(message, More):
                reading.give_more(desk, session, follower, message)
            elif follower is not None:
                desk.drop(follower)
        case Forget():
            desk.log.forget_place(session.host, message.name)
            desk.tell(session, Forgotten(message.name))
        case Still():
            pass
        case _:
            assert_never(message)


def keep(desk: Desk, session: Session, message: Keep) -> None:
    """Append to the log, and say so; nothing is said before it is on disk (law 3)."""
    period = 1 + int(desk.ctx.unix_s // desk.config.publisher_s)
    before = desk.log.taken_before(session.host, message, period)
    if before is not None:
        desk.count("kept_again")
        desk.tell(session, Taken(message.sequence, before))
        return
    if word := why_refused(desk, session, message, period):
        desk.count("refused")
        desk.tell(session, Taken(message.sequence, -1, word))
        return
    config, unix_s = desk.config, desk.ctx.unix_s
    entry = Record(
        message.subject, session.host, unix_s, message.data, message.extra,
        message.is_retained, message.publisher, message.number,
    )  # fmt: skip
    encoded = msgspec.msgpack.encode(entry)
    trimmed = desk.log.trim(
        until_s=unix_s - config.history_s, most_bytes=config.history_bytes - len(encoded)
    )
    position = desk.log.append(entry, encoded)
    if message.is_retained:
        desk.log.retain(entry, position, encoded, is_alone=len(config.nodes) < 2)  # noqa: PLR2004
    desk.log.note_taken(session.host, message, position, period, period_s=config.publisher_s)
    desk.count("kept")
    desk.count("trimmed", trimmed)
    desk.tell(session, Taken(message.sequence, position))
    reading.hand_out(desk, entry, encoded, position)
    live.show(desk, entry, position)


def why_refused(desk: Desk, session: Session, message: Keep, period: int) -> str:
    """Return the word why a message is not kept; empty when it is."""
    log, config = desk.log, desk.config
    if not is_subject(message.subject):
        return "bad_subject"
    if len(message.data) + len(message.extra) > MAX_DATA_BYTES:
        return "too_long"
    if message.is_retained and message.data:
        size_bytes = len(message.data) + len(message.extra)
        of_all, own = log.retained_with(session.host, message.subject, size_bytes)
        if of_all > config.retained_bytes or own > config.retained_bytes_per_host:
            return "too_much_retained"
    is_new = not log.is_known(session.host, message.publisher, period)
    if is_new and (
        log.count_publishers(period) >= config.publishers
        or log.count_publishers(period, session.host) >= config.publishers_per_host
    ):
        return "too_many_publishers"
    return ""


def go_on(desk: Desk, session: Session) -> None:
    """Tell those more who wait for room on a stream, each in its turn."""
    for place, number in enumerate(desk.next_waiting(session, FOLLOWERS_AT_ONCE + 1)):
        if not session.has_room or place == FOLLOWERS_AT_ONCE or desk.is_long:
            if session.has_room:
                wake(desk, session)
            return
        follower = desk.follower(member_of(session.stream, number))
        if follower is None:
            continue
        desk.wait_no_more(follower)
        if follower.is_behind and follower.credit:
            reading.read_on(desk, session, follower)


def wake(desk: Desk, session: Session) -> None:
    """Go on soon."""
    desk.order(SetTimer(WAKE + session.stream.to_bytes(8, "big"), after_s=0.0))


def hang_up(desk: Desk, session: Session) -> None:
    """End the stream of a host."""
    desk.close(session)
    desk.order(CloseStream(session.stream))


_HELLO = msgspec.msgpack.encode(Hello())

SERVICE = PubSub
