"""What a cache remembers between two events: clients, fetches, connections, bodies on their way.

All of it is in the ephemeral store. Within one event each is there once, as a copy that is worked
on; `Desk.effects` puts them back.
"""

from typing import Generic, Literal, TypeVar

import msgspec

from ei.sdk import Context, Corner, Count, Effect, Store, Table, Tables
from ei.services.caching.bodies import Bodies
from ei.services.caching.config import Config
from ei.services.caching.framing import NO_BODY, Body
from ei.services.caching.http1 import Request
from ei.services.caching.purges import Purges
from ei.services.caching.rules import Stored
from ei.services.caching.shelf import Kept, Shelf
from ei.services.caching.targets import Target

NOBODY = -1
"""In the place of a stream."""
BODIES_BITS = 40
"""Of the number of a body: so many are begun between two starts of the worker."""


class Idle(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """The next head is gathered."""


class Waiting(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """The answer is not known yet; `flight` fetches it."""

    flight: bytes


class Reading(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """The body of the answer goes out.

    Attributes:
        body: Its name.
        position: Of the next byte.
        end: Where it ends; `None` as long as nobody knows.
        is_chunked: So it is framed.
    """

    body: bytes
    position: int
    end: int | None
    is_chunked: bool


class Client(msgspec.Struct, gc=False, array_like=True):
    """A stream that another one opened.

    Attributes:
        stream: Its number.
        tenant: Whose requests come by it.
        site: Host and port when it is for one site.
        is_tier: It comes from another node of the tier.
        window: Bytes that may be written now.
        doing: What.
        request: The one at hand.
        buffer: Bytes that came and were not looked at.
        out: Bytes that wait for the window.
        is_reading: A `ReadStream` is not answered yet.
        has_ended: It sends no more.
        is_kept_alive: Another request may follow this answer.
        tries: How often the request at hand was begun again.
        is_timed: A part of a head is there: the rest must come by a deadline.
        is_stalled: It takes nothing: it must by a deadline.
    """

    stream: int
    tenant: bytes
    site: tuple[str, int] | None
    is_tier: bool
    window: int
    doing: Idle | Waiting | Reading = Idle()
    request: Request | None = None
    buffer: bytes = b""
    out: bytes = b""
    is_reading: bool = False
    has_ended: bool = False
    is_kept_alive: bool = True
    tries: int = 0
    is_timed: bool = False
    is_stalled: bool = False


Step = Literal["next", "again"]
Outcome = Literal["", "read", "kept", "again", "failed"]
"""What becomes of those who wait: nothing yet; they read the body that comes; they are answered by
what is kept under `Flight.answer`; they ask again; they are told of a failure."""


class Flight(msgspec.Struct, gc=False, array_like=True):
    """A request that is on its way to an origin, or to the node of the tier that keeps its target.

    Attributes:
        name: 8 bytes.
        key: Of the target.
        lane: Under which others find it and wait; empty when it is for its leader alone.
        tenant: Whose.
        target: What is fetched.
        asked: The request of the client.
        sent: The request as it is sent.
        node: Of the tier; empty for the origin itself.
        leader: Client that it was begun for; `NOBODY` when it left, or there was none.
        may_keep: The answer may be kept, as far as the request is concerned.
        validating: Name of the variant that it asks about; empty when it asks for all.
        stream: Its connection; 0 when it has none.
        stage: `waiting` for a connection, for the `head`, for the `body`, or `done`.
        is_reused: The connection was used before: it may have been closed meanwhile.
        tries: How often it was sent.
        requested_s: When, in Unix time.
        upload: What of the client's body is still to come.
        out: Bytes that wait for the window.
        buffer: Bytes that came and were not looked at.
        framing: Of the answer.
        body: Name of the answer's body; empty before its head.
        stored: The answer's head; `None` before.
        is_kept: The body is gathered, to be kept.
        is_shared: Those who wait may read it as it comes.
        is_stale: What answers is stale, since the origin failed.
        is_kept_alive: The origin lets another request follow on the connection.
        is_reading: A `ReadStream` is not answered yet.
        interim: How many responses came before the final one.
        waiters: How many wait, the leader included.
        outcome: For those who wait.
        answer: Of `kept`: name of the variant.
        detail: For Cache-Status.
        status: Of `failed`.
        word: Of `failed`, for people.
    """

    name: bytes
    key: bytes
    lane: bytes
    tenant: bytes
    target: Target
    asked: Request
    sent: Request
    node: bytes
    leader: int
    may_keep: bool
    validating: bytes = b""
    stream: int = 0
    stage: Literal["waiting", "head", "body", "done"] = "waiting"
    is_reused: bool = False
    tries: int = 0
    requested_s: float = 0.0
    upload: Body = NO_BODY
    out: bytes = b""
    buffer: bytes = b""
    framing: Body = NO_BODY
    body: bytes = b""
    stored: Stored | None = None
    is_kept: bool = False
    is_shared: bool = False
    is_stale: bool = False
    is_kept_alive: bool = False
    is_reading: bool = False
    interim: int = 0
    waiters: int = 0
    outcome: Outcome = ""
    answer: bytes = b""
    detail: str = ""
    status: int = 0
    word: str = ""


class Link(msgspec.Struct, gc=False, array_like=True):
    """A connection to an origin or node.

    Attributes:
        stream: Its number.
        origin: Where to, as a hash.
        flight: That uses it; empty when idle.
        window: Bytes that may be written now.
    """

    stream: int
    origin: bytes
    flight: bytes
    window: int = 0


class Content(msgspec.Struct, gc=False, array_like=True):
    """A body that is read, or on its way.

    Attributes:
        body: Its name.
        is_on_disk: Where it is.
        size: Bytes so far.
        state: It is `coming`, `whole`, or `broken`: it ended before its time.
        is_kept: It is on a shelf, and stays when nobody reads it.
        holders: Who need it: readers, and the flight that brings it.
        reserved: Bytes of `aside` that it has.
        flight: That brings it.
        is_passing: One client reads it, and what it has read is forgotten.
    """

    body: bytes
    is_on_disk: bool
    size: int = 0
    state: Literal["coming", "whole", "broken"] = "coming"
    is_kept: bool = False
    holders: int = 0
    reserved: int = 0
    flight: bytes = b""
    is_passing: bool = False


ValueT = TypeVar("ValueT")


class Copies(Generic[ValueT]):
    """A table whose values are worked on during one event, each as one object.

    Args:
        store: Where they are kept, under keys of 8 bytes.
        name: Of their table.
        of: Type of the values.
    """

    __slots__ = ("_gone", "_here", "_name", "_of", "_store")

    def __init__(self, store: Store, name: str, *, of: type[ValueT]) -> None:
        self._store, self._name, self._of = store, name, of
        self._here: dict[bytes, ValueT] = {}
        self._gone: set[bytes] = set()

    def get(self, key: bytes | int) -> ValueT | None:
        """Return the value; what is done to it is kept."""
        key = key_of_number(key)
        if key in self._gone:
            return None
        here = self._here.get(key)
        if here is None:
            here = self._table().get(key)
            if here is not None:
                self._here[key] = here
        return here

    def add(self, key: bytes | int, value: ValueT) -> ValueT:
        """Keep a new value."""
        key = key_of_number(key)
        self._gone.discard(key)
        self._here[key] = value
        return value

    def remove(self, key: bytes | int) -> None:
        """Forget a value."""
        key = key_of_number(key)
        _ = self._here.pop(key, None)
        self._gone.add(key)

    def put_back(self) -> None:
        """Write what was worked on."""
        if not self._here and not self._gone:
            return
        table = self._table()
        for key in sorted(self._gone):
            table.delete(key)
        for key, value in self._here.items():
            table.put(key, value)

    def _table(self) -> Table[ValueT]:
        return Table(self._store, self._name, of=self._of)


def key_of_number(key: bytes | int) -> bytes:
    """Return the key of a stream."""
    return key if isinstance(key, bytes) else key.to_bytes(8, "big")


class Desk(Tables):
    """What one event works on, and the effects that it comes to.

    Attributes:
        ctx: Of the event.
        config: Of the service.
        memory: What is kept in memory.
        disk: What is kept on disk.
        purges: What was purged.
        hungry: Flights whose reader has all that came.
        written_bytes: That went to clients.
        has_purged: The other nodes of the tier are to be told.
        boot: Tells this start of the worker from those before, of which the disk has bodies.
        ready: Streams of clients that go on: with their next request, or the same again.
    """

    numbers = Corner("numbers", int)
    waiting = Corner("waiting", int)
    blocked = Corner("blocked", int)
    lanes = Corner("lanes", bytes)
    varies = Corner("varies", tuple[str, ...])
    uncacheable = Corner("uncacheable", int)
    idle = Corner("idle", int)
    queue = Corner("queue", bytes)

    def __init__(self, ctx: Context[Config]) -> None:
        super().__init__(ctx.ephemeral)
        self.ctx = ctx
        self.config = ctx.config
        self.memory = Shelf(ctx.ephemeral, limit_bytes=ctx.config.memory_bytes)
        self.hungry: list[bytes] = []
        self.has_purged = False
        self.written_bytes = 0
        self.ready: list[tuple[int, Step]] = []
        self._orders: list[Effect] = []
        self.clients = Copies(ctx.ephemeral, "clients", of=Client)
        self.flights = Copies(ctx.ephemeral, "flights", of=Flight)
        self.links = Copies(ctx.ephemeral, "links", of=Link)
        self.contents = Copies(ctx.ephemeral, "contents", of=Content)

    @property
    def boot(self) -> int:
        return self.numbers.get(b"boot") or 0

    @property
    def disk(self) -> Shelf:
        return Shelf(self.ctx.stable, limit_bytes=self.config.disk_bytes)

    @property
    def purges(self) -> Purges:
        return Purges(self.ctx.ephemeral, most=self.config.purges)

    @property
    def loose(self) -> Table[int]:
        """Bodies on disk that nothing keeps, with the most bytes that they may have."""
        return Table(self.ctx.stable, "loose", of=int)

    def begin(self) -> None:
        """Begin: names of bodies are others than those that the disk has from before."""
        starts = Table(self.ctx.stable, "starts", of=int)
        boot = (starts.get(b"") or 0) + 1
        starts.put(b"", boot)
        self.numbers.put(b"boot", boot)
        self.numbers.put(b"bodies", boot << BODIES_BITS)

    def order(self, *effects: Effect) -> None:
        """Ask for effects."""
        self._orders.extend(effects)

    def count(self, name: str) -> None:
        """Count one."""
        self._orders.append(Count(name))

    def effects(self) -> tuple[Effect, ...]:
        """Put back what was worked on; return what was asked for."""
        for copies in (self.clients, self.flights, self.links, self.contents):
            copies.put_back()
        return tuple(self._orders)

    def next_number(self, of: str) -> int:
        """Return a number that was not there before."""
        number = (self.numbers.get(of.encode()) or 0) + 1
        self.numbers.put(of.encode(), number)
        return number

    def bodies(self, content: Content) -> Bodies:
        """Return where a body is."""
        return self.shelf(is_on_disk=content.is_on_disk).bodies

    def shelf(self, *, is_on_disk: bool) -> Shelf:
        """Return one of the two shelves."""
        return self.disk if is_on_disk else self.memory

    def find(self, name: bytes) -> tuple[Kept, bool] | None:
        """Return a variant by its name, and whether it is on disk."""
        for is_on_disk in (False, True):
            kept = self.shelf(is_on_disk=is_on_disk).get(name)
            if kept is not None:
                return kept, is_on_disk
        return None
