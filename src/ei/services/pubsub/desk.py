"""What a node remembers of its streams between two events, and what one event asks for.

All of it is in the ephemeral store. Within one event each session and follower is there once, as a
copy that is worked on; `Desk.effects` puts them back.
"""

from itertools import islice

import msgspec

from ei.sdk import (
    MAX_PIECE_BYTES,
    Address,
    Context,
    Corner,
    Count,
    Effect,
    ReadStream,
    RevokeDecisions,
    SetTimer,
    Tables,
    WriteStream,
)
from ei.services.pubsub.config import Config
from ei.services.pubsub.log import Log
from ei.services.pubsub.messages import Said, Wish, write_frame
from ei.services.pubsub.subjects import Wishes

MAX_OUT_BYTES = 128 * 1024
"""Of answers that wait for the window: with more, nothing further is read."""
SILENCE_S = 3_600.0
DROPPED_AT_ONCE = 300
EFFECTS_AT_ONCE = 900
"""With more, what else came waits for the next turn: each message may add as many again."""
SPENT_AT_ONCE = 1_000
"""The same, of followers and records that were looked at."""
WAKE = b"wake"
"""With a stream: the timer of what was left for another turn."""


class Session(msgspec.Struct, gc=False, array_like=True):
    """A stream with a host.

    Attributes:
        stream: Its number.
        host: Whose it is.
        window: Bytes that may be written now.
        received: Bytes that came and were not looked at.
        out: Bytes that wait for the window.
        is_reading: A `ReadStream` is not answered yet.
        is_busy: There are whole frames in `received`, left for the next turn.
        turns: How many turns were given to followers that wait for room.
        is_closed: It has ended, and not all of its followers are forgotten yet.
    """

    stream: int
    host: Address
    window: int
    received: bytes = b""
    out: bytes = b""
    is_reading: bool = False
    is_busy: bool = False
    turns: int = 0
    is_closed: bool = False

    @property
    def has_room(self) -> bool:
        """Whether what is said now can be written now, or nothing else waits for that."""
        return len(self.out) < self.window or not self.out


class Follower(msgspec.Struct, gc=False, array_like=True):
    """Somebody who reads the log.

    Attributes:
        stream, id: Which.
        filter: Of subjects.
        credit: Messages that may be told now.
        name: Of its place; empty when it has none.
        next: The position from which on it was told nothing. Without meaning unless it is behind.
        is_behind: There may be something in the log for it.
        queued: What was published for it since it is behind.
        queue, policy: As in `Follow`.
        stop: With the policy to drop the newest: what is from here on is not for it; -1 for none.
        lost: Messages dropped since it was told something.
        told: Position of the last that it was told; -1 for none.
        retained: Where it is in what was retained; `None` when it has all.
        turn: Among those of its stream that wait for room; 0 when it does not.
    """

    stream: int
    id: int
    filter: str
    credit: int
    name: str
    next: int
    is_behind: bool
    queued: int
    queue: int
    policy: int
    stop: int = -1
    lost: int = 0
    told: int = -1
    retained: str | None = None
    turn: int = 0


class Desk(Tables):
    """One event at work.

    Args:
        ctx: Of the event.
    """

    __slots__ = (
        "_counts", "_followers_here", "_log", "_orders", "_sessions_here",
        "config", "ctx", "kept", "live", "looked_at", "news", "readers", "spent", "stale",
    )  # fmt: skip

    passing = Corner("passing", bytes)
    beyond = Corner("beyond", bool)
    waiting = Corner("waiting", int)
    decided = Corner("decided", bool)
    _sessions = Corner("sessions", Session)
    _followers = Corner("followers", Follower)
    _following = Corner("following", int)

    def __init__(self, ctx: Context[Config]) -> None:
        super().__init__(ctx.ephemeral)
        self.ctx = ctx
        self.config = ctx.config
        self.live = Wishes(ctx.ephemeral, prefix="live ")
        self.kept = Wishes(ctx.ephemeral, prefix="kept ")
        self.readers = Wishes(ctx.ephemeral, prefix="readers ")
        self._log: Log | None = None
        self._sessions_here: dict[int, Session | None] = {}
        self._followers_here: dict[bytes, Follower | None] = {}
        self._orders: list[Effect] = []
        self.stale: set[bytes] = set()
        self.looked_at = 0
        self.spent = 0
        self.news: list[tuple[Wish, bool]] = []
        self._counts: dict[str, int] = {}

    @property
    def log(self) -> Log:
        """What is kept; packets that are not need nothing of it."""
        if self._log is None:
            self._log = Log(self.ctx.stable)
        return self._log

    # -- sessions -------------------------------------------------------------------------------

    def session(self, stream: int) -> Session | None:
        """Return a session; what is done to it is kept."""
        if stream not in self._sessions_here:
            self._sessions_here[stream] = self._sessions.get(_key(stream))
        return self._sessions_here[stream]

    def open(self, session: Session) -> None:
        """Begin a session."""
        self._sessions_here[session.stream] = session

    def close(self, session: Session) -> None:
        """End a session, and what it follows: so much at a time; the rest at the next turn."""
        followers = self.followers_of(session, DROPPED_AT_ONCE)
        for follower in followers:
            self.drop(follower)
        session.is_closed = len(followers) == DROPPED_AT_ONCE
        if session.is_closed:
            self.order(SetTimer(WAKE + _key(session.stream), after_s=0.0))
        else:
            self._sessions_here[session.stream] = None

    def tell(self, session: Session, message: Said) -> None:
        """Say something on a stream, as soon as there is room."""
        session.out += write_frame(message)

    # -- followers ------------------------------------------------------------------------------

    def follower(self, member: bytes) -> Follower | None:
        """Return a follower by its key; what is done to it is kept."""
        if member not in self._followers_here:
            self._followers_here[member] = self._followers.get(member)
        return self._followers_here[member]

    def followers_of(self, session: Session, most: int) -> list[Follower]:
        """Return followers of a session."""
        prefix = _key(session.stream)
        members = [key for key in self._followers_here if key.startswith(prefix)]
        known = islice(self._followers.scan(prefix), most + len(members))
        members += [key for key, _ in known if key not in self._followers_here]
        followers = (self.follower(member) for member in members)
        return list(islice((each for each in followers if each is not None), most))

    def add(self, session: Session, follower: Follower) -> None:
        """Begin to follow."""
        member = member_of(follower.stream, follower.id)
        self._followers_here[member] = follower
        _ = self.readers.add(follower.filter, member)
        self._following.put(session.host, self.count_followers(session.host) + 1)

    def drop(self, follower: Follower) -> None:
        """Follow no more."""
        member = member_of(follower.stream, follower.id)
        self.wait_no_more(follower)
        self._followers_here[member] = None
        _ = self.readers.remove(follower.filter, member)
        session = self.session(follower.stream)
        if session is not None:
            left = self.count_followers(session.host) - 1
            if left:
                self._following.put(session.host, left)
            else:
                self._following.delete(session.host)

    def wait(self, session: Session, follower: Follower) -> None:
        """Let a follower be told more as soon as its stream has room.

        Without credit there is nothing to wait for: it is told more when it gives some.
        """
        if follower.credit and not follower.turn:
            session.turns += 1
            follower.turn = session.turns
            self.waiting.put(_key(follower.stream) + _key(follower.turn), follower.id)

    def wait_no_more(self, follower: Follower) -> None:
        """Give a follower's turn up."""
        if follower.turn:
            self.waiting.delete(_key(follower.stream) + _key(follower.turn))
            follower.turn = 0

    def next_waiting(self, session: Session, most: int) -> list[int]:
        """Return who waits, in turn."""
        return [number for _, number in islice(self.waiting.scan(_key(session.stream)), most)]

    def count_followers(self, host: bytes) -> int:
        """Return how many a host has, on all of its streams."""
        return self._following.get(host) or 0

    # -- the end of the event -------------------------------------------------------------------

    def order(self, *effects: Effect) -> None:
        """Ask for effects."""
        self._orders += effects

    @property
    def is_long(self) -> bool:
        """Whether so much was done that what else came waits for the next turn."""
        return len(self._orders) > EFFECTS_AT_ONCE or self.spent > SPENT_AT_ONCE

    def count(self, name: str, amount: int = 1) -> None:
        """Count."""
        self._counts[name] = self._counts.get(name, 0) + amount

    def flush(self, session: Session) -> None:
        """Write what there is room for, and read on when that is not too little."""
        written = min(session.window, len(session.out))
        for start in range(0, written, MAX_PIECE_BYTES):
            piece = session.out[start : min(written, start + MAX_PIECE_BYTES)]
            self.order(WriteStream(session.stream, piece))
        session.window -= written
        session.out = session.out[written:]

    def effects(self) -> tuple[Effect, ...]:
        """Put everything back; return all that was asked for."""
        for stream, session in self._sessions_here.items():
            if session is None:
                self._sessions.delete(_key(stream))
                continue
            if session.is_closed:
                self._sessions.put(_key(stream), session)
                continue
            self.flush(session)
            if not session.is_reading and not session.is_busy and len(session.out) < MAX_OUT_BYTES:
                session.is_reading = True
                self.order(ReadStream(stream, idle_s=SILENCE_S))
            self._sessions.put(_key(stream), session)
        for member, follower in self._followers_here.items():
            if follower is None:
                self._followers.delete(member)
            else:
                self._followers.put(member, follower)
        self.order(*(RevokeDecisions(tag) for tag in sorted(self.stale)))
        self.order(*(Count(name, amount) for name, amount in self._counts.items()))
        return tuple(self._orders)


def member_of(stream: int, number: int) -> bytes:
    """Return the key of a follower."""
    return _key(stream) + number.to_bytes(4, "big")


def _key(stream: int) -> bytes:
    return stream.to_bytes(8, "big")
