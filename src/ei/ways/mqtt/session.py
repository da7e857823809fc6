"""The session of a client: what outlives its connections, and what of it is on the disk. Pure."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from ei.ways.mqtt.incoming import Incoming, Taken
from ei.ways.mqtt.outgoing import Kept, Outgoing
from ei.ways.mqtt.packets import Wanted, Will

Write = tuple[bytes, bytes | None]
"""A key and its value; `None` deletes it."""


class Subscribed(msgspec.Struct, frozen=True, array_like=True):
    """One subscription: what was asked for, with the QoS that was granted.

    Attributes:
        identifier: That the client gave it.
        nonce: Random; the same filter subscribed to later has another.
        is_named: pubsub remembers its place; decided when it is made.
    """

    wanted: Wanted
    identifier: int | None = None
    nonce: bytes = b""
    is_named: bool = False

    def name(self, session: "Session") -> str | None:
        """Return under which name pubsub remembers its place, if it is to."""
        if not self.is_named:
            return None
        return f"mqtt-{blake2b(session.token + self.nonce, digest_size=12).hexdigest()}"


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Of a session, on the disk.

    Attributes:
        token: Random; a session that follows under the same client identifier has another.
        gone_unix_s: When its client left; `None`: it was there.
    """

    client_id: str
    token: bytes
    expiry_s: int
    subscribed: tuple[Subscribed, ...]
    will: Will | None
    gone_unix_s: float | None


class Session:
    """One client's.

    Attributes:
        subscribed: By filter as the client writes it.
        will: To be published when the client is gone without a word.
        is_saved: Something of it is on the disk.
        has_lasted: It was to outlive a connection, so what was repeated may come again.
    """

    def __init__(
        self,
        record: Record,
        *,
        kept: Iterable[Kept] = (),
        taken: Iterable[Taken] = (),
        last: int = 0,
    ) -> None:
        self.client_id = record.client_id
        self.token = record.token
        self.expiry_s = record.expiry_s
        self.subscribed = {each.wanted.filter: each for each in record.subscribed}
        self.will = record.will
        self.gone_unix_s = record.gone_unix_s
        self.is_saved = False
        self.has_lasted = self.is_lasting
        self.outgoing = Outgoing(tuple(kept))
        self.incoming = Incoming(tuple(taken), last)

    def __repr__(self) -> str:
        return f"<Session {self.client_id!r}: {len(self.subscribed)} subscriptions>"

    @property
    def is_lasting(self) -> bool:
        """Whether it outlives its connection; all that follows is on the disk then."""
        return self.expiry_s > 0

    @property
    def is_kept(self) -> bool:
        """Whether the disk has to know of it."""
        return self.is_lasting or self.will is not None

    @property
    def publisher(self) -> str:
        """Under which name pubsub takes its messages of QoS 2 once."""
        return self.token.hex()

    def record(self) -> Write:
        """Return what is kept of the session itself."""
        subscribed = tuple(self.subscribed.values())
        record = Record(
            self.client_id, self.token, self.expiry_s, subscribed, self.will, self.gone_unix_s
        )
        return b"s" + self.client_id.encode(), msgspec.msgpack.encode(record)

    def sent(self, number: int) -> Write:
        """Return what is kept of a message of QoS 2 to the client."""
        value = msgspec.msgpack.encode(self.outgoing.kept(number))
        return self._key(b"o", number), value

    def taken(self, taken: Taken) -> tuple[Write, ...]:
        """Return what is kept of a message of QoS 2 from the client."""
        last = b"n" + self.client_id.encode(), msgspec.msgpack.encode(self.incoming.last)
        return (self._key(b"i", taken.number), msgspec.msgpack.encode(taken)), last

    def released(self, number: int) -> Write:
        """Return what is deleted once the client has released it."""
        return self._key(b"i", number), None

    def _key(self, kind: bytes, number: int) -> bytes:
        # No client identifier has a byte 0 in it.
        return kind + self.client_id.encode() + b"\0" + number.to_bytes(2)


class Sessions:
    """What the disk has of all sessions, as it is read at the start."""

    def __init__(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        self._records: dict[bytes, Record] = {}
        self._kept: dict[bytes, list[Kept]] = {}
        self._taken: dict[bytes, list[Taken]] = {}
        self._last: dict[bytes, int] = {}
        self.forgotten: list[str] = []
        """Names of subscriptions that pubsub has still to be told to forget."""
        for key, value in entries:
            self._take(key[:1], key[1:], value)

    def __repr__(self) -> str:
        return f"<Sessions {len(self._records)} on the disk>"

    def __iter__(self) -> Iterator[Session]:
        for client, record in self._records.items():
            session = Session(
                record,
                kept=self._kept.get(client, ()),
                taken=self._taken.get(client, ()),
                last=self._last.get(client, 0),
            )
            session.is_saved = True
            yield session

    def _take(self, kind: bytes, rest: bytes, value: bytes) -> None:
        client = rest.partition(b"\0")[0]
        match kind:
            case b"s":
                self._records[client] = msgspec.msgpack.decode(value, type=Record)
            case b"o":
                found = msgspec.msgpack.decode(value, type=Kept)
                self._kept.setdefault(client, []).append(found)
            case b"i":
                taken = msgspec.msgpack.decode(value, type=Taken)
                self._taken.setdefault(client, []).append(taken)
            case b"n":
                self._last[client] = msgspec.msgpack.decode(value, type=int)
            case b"f":
                self.forgotten.append(rest.decode())
            case _:
                pass


def to_forget(name: str) -> bytes:
    """Return the key that says that pubsub has still to forget a name."""
    return b"f" + name.encode()


def ending(client_id: str, forgotten: Iterable[str]) -> tuple[list[bytes], list[Write]]:
    """Return what to delete of a session that ends: beginnings of keys, and writes.

    Args:
        forgotten: Names that pubsub has to forget with it.
    """
    client = client_id.encode()
    beginnings = [b"o" + client + b"\0", b"i" + client + b"\0"]
    writes: list[Write] = [(b"s" + client, None), (b"n" + client, None)]
    return beginnings, [*writes, *((to_forget(name), b"") for name in forgotten)]
