"""Streams between hosts, pure: QUIC connections on connections of the delivery service.

One QUIC connection to a host carries all streams with it. A stream begins with the port that it is
for, two bytes little-endian, before anything that the application writes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ei._core import Streams
from ei.errors import LimitError, LocalError, NotFoundError, StreamError
from ei.host.events import (
    HostEvent,
    StreamArrived,
    StreamConnected,
    StreamLost,
    StreamMoved,
    StreamsAvailable,
)
from ei.host.sessions import Outgoing
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

PORT_BYTES = 2
NO_LISTENER = 1
"""Code with which a stream to a port where nobody listens is refused."""
ABORTED = 2
"""Code of a stream that its application gave up."""
MAX_UNROUTED = 1_024
"""Streams of all peers that have not yet said for which port they are."""

ConnectionKey = tuple[Address, int]
StreamKey = tuple[Address, int, int]


@dataclass(slots=True)
class _Link:
    """One QUIC connection."""

    is_up: bool = False
    unrouted: dict[int, bytes] = field(default_factory=dict[int, bytes])


class StreamConnections:
    """All stream connections of one host; made when the first is needed.

    Args:
        address: This host's.
        make: Returns the native endpoint.
        records: Whose key is whose.
        draw: Returns a random connection number, 64 bits.
        emit: Takes each event.
    """

    def __init__(
        self,
        address: Address,
        make: Callable[[], Streams],
        *,
        records: Callable[[], RecordSet],
        draw: Callable[[], int],
        emit: Callable[[HostEvent], None],
    ) -> None:
        self._address = address
        self._make = make
        self._records = records
        self._draw = draw
        self._emit = emit
        self._streams: Streams | None = None
        self._links: dict[ConnectionKey, _Link] = {}
        self._unrouted = 0

    # -- connections ------------------------------------------------------------------------------

    def connect(self, now_ns: int, to: Address) -> tuple[ConnectionKey, bool]:
        """Return (connection to a host, whether it is up): one that exists, or a new one.

        `StreamConnected` or `StreamLost` follows for one that is not up.

        Raises:
            NotFoundError: the records do not know the host.
            LimitError: too many connections.
            LocalError: it is this host itself.
        """
        for key, link in self._links.items():
            if key[0] == to:
                return key, link.is_up
        identity_key = self._identity_key(to)
        if to == self._address:
            raise LocalError("a host opens no stream to itself")
        key = (to, self._draw())
        try:
            self._native().connect(now_ns, to, key[1], identity_key)
        except ConnectionError as error:
            raise LimitError(f"no stream connection to {self._name(to)}: {error}") from error
        self._links[key] = _Link()
        return key, False

    def close(self, now_ns: int, key: ConnectionKey, *, reason: str) -> None:
        """End a connection, its streams with it. Idempotent."""
        if self._links.pop(key, None) is not None and self._streams is not None:
            self._streams.close(now_ns, *key, reason=reason)

    def path_changed(self, now_ns: int) -> None:
        """The host uses another of its nodes: every path is another one."""
        if self._streams is not None:
            for peer in dict.fromkeys(key[0] for key in self._links):
                self._streams.path_changed(now_ns, peer)

    # -- payloads and time ------------------------------------------------------------------------

    def handle(self, now_ns: int, source: Address, connection: int, payloads: list[bytes]) -> None:
        """Take payloads of one connection."""
        self._native().handle_many(now_ns, source, connection, payloads)

    def poll(self, now_ns: int) -> None:
        """Do what is due."""
        if self._streams is not None:
            self._streams.poll(now_ns)

    def next_deadline_ns(self) -> int | None:
        """Return when to `poll` and to send next."""
        return None if self._streams is None else self._streams.next_deadline_ns()

    def take_outgoing(self, now_ns: int) -> list[Outgoing]:
        """Return what is to be sent now, and tell what happened."""
        if self._streams is None:
            return []
        self._take_events(now_ns)
        return [
            Outgoing(Address(peer), connection, payloads)
            for peer, connection, payloads in self._streams.take_transmits(now_ns)
        ]

    # -- streams ----------------------------------------------------------------------------------

    def open_stream(self, key: ConnectionKey, port: int) -> StreamKey | None:
        """Open a stream to a port; `None` while the peer allows no more (`StreamsAvailable`).

        Raises:
            StreamError: the connection is gone.
        """
        try:
            stream = self._native().open_stream(*key, is_bidirectional=True)
            if stream is None:
                return None
            # An empty stream has room for two bytes: its window is at least 64 KiB.
            _ = self._native().write(*key, stream, port.to_bytes(PORT_BYTES, "little"))
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error
        return (*key, stream)

    def write(self, key: StreamKey, data: bytes, start: int) -> int:
        """Write `data` from `start` on; return how many bytes were taken (else `writable`).

        Raises:
            StreamError: the stream or its connection is gone, or the peer wants no more.
        """
        try:
            return self._native().write(*key, data, start)
        except BrokenPipeError as error:
            raise StreamError(str(error), kind="stopped") from error
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error

    def finish(self, key: StreamKey) -> None:
        """End a stream after what was written. Raises as `write`."""
        try:
            self._native().finish(*key)
        except BrokenPipeError as error:
            raise StreamError(str(error), kind="stopped") from error
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error

    def read(
        self, key: StreamKey, max_bytes: int
    ) -> tuple[bytes, Literal["open", "finished", "reset"], int]:
        """Read at most `max_bytes`: (bytes, how the stream stands after them, code of a reset).

        Raises:
            StreamError: the stream or its connection is gone.
        """
        try:
            return self._native().read(*key, max_bytes)
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error

    def abort(self, key: StreamKey, code: int = ABORTED) -> None:
        """Give up both directions of a stream. Idempotent."""
        for give_up in (self._native().reset, self._native().stop):
            try:
                give_up(*key, code)
            except (ConnectionError, ValueError):
                continue  # that direction has ended, or there is none

    def statistics(self) -> dict[str, int]:
        """Return counters and gauges of all connections."""
        return {} if self._streams is None else self._streams.statistics()

    # -- inside -----------------------------------------------------------------------------------

    def _native(self) -> Streams:
        if self._streams is None:
            self._streams = self._make()
        return self._streams

    def _name(self, host: Address) -> str:
        return self._records().name_of(host)

    def _identity_key(self, host: Address) -> bytes:
        enrolment = self._records().enrolments.get(host)
        if enrolment is None:
            raise NotFoundError(f"no record of the host {self._name(host)}")
        return enrolment.identity_key

    def _take_events(self, now_ns: int) -> None:  # noqa: C901 one case for each kind
        while events := self._native().take_events():
            for event in events:
                key = (Address(event[1]), event[2])
                match event:
                    case ("key_wanted", _, _):
                        self._answer(now_ns, key)
                    case ("connected", _, _):
                        self._links.setdefault(key, _Link()).is_up = True
                        self._emit(StreamConnected(*key))
                    case ("lost", _, _, kind, text, _):
                        self._lose(key, kind, text)
                    case ("stream_opened", _, _, stream, is_bidirectional):
                        self._meet(key, stream, is_bidirectional=is_bidirectional)
                    case ("streams_available", _, _, _):
                        self._emit(StreamsAvailable(*key))
                    case (what, _, _, stream, *rest):
                        self._move(key, stream, what, *rest)

    def _answer(self, now_ns: int, key: ConnectionKey) -> None:
        try:
            self._native().accept(now_ns, *key, self._identity_key(key[0]))
        except NotFoundError:
            self._native().refuse(now_ns, *key)
        except ConnectionError:
            return  # its time was over, or there is no room: the native side has refused it
        else:
            self._links[key] = _Link()

    def _lose(self, key: ConnectionKey, kind: str, text: str) -> None:
        link = self._links.pop(key, None)
        if link is not None:
            self._unrouted -= len(link.unrouted)
        self._emit(StreamLost(*key, kind, text))

    def _meet(self, key: ConnectionKey, stream: int, *, is_bidirectional: bool) -> None:
        link = self._links.get(key)
        if link is None or not is_bidirectional or self._unrouted >= MAX_UNROUTED:
            self.abort((*key, stream), NO_LISTENER)
            return
        link.unrouted[stream] = b""
        self._unrouted += 1

    def _move(self, key: ConnectionKey, stream: int, what: str, code: int = 0) -> None:
        link = self._links.get(key)
        if link is None or stream not in link.unrouted:
            self._emit(StreamMoved(*key, stream, _MOVES[what], code))
            return
        if what == "readable":
            self._route(key, link, stream)
        elif what == "stream_reset":
            self._forget(link, stream)

    def _route(self, key: ConnectionKey, link: _Link, stream: int) -> None:
        """Read the port of a new stream."""
        known = link.unrouted[stream]
        try:
            got, state, _ = self.read((*key, stream), PORT_BYTES - len(known))
        except StreamError:
            self._forget(link, stream)
            return
        known += got
        if len(known) == PORT_BYTES:
            self._forget(link, stream)
            self._emit(StreamArrived(*key, stream, int.from_bytes(known, "little")))
            # What follows the port may be there already, and is announced once only.
            self._emit(StreamMoved(*key, stream, "readable", 0))
        elif state != "open":
            self._forget(link, stream)
            self.abort((*key, stream), NO_LISTENER)
        else:
            link.unrouted[stream] = known

    def _forget(self, link: _Link, stream: int) -> None:
        del link.unrouted[stream]
        self._unrouted -= 1


_MOVES: dict[str, Literal["readable", "writable", "finished", "reset", "stopped"]] = {
    "readable": "readable",
    "writable": "writable",
    "stream_finished": "finished",
    "stream_reset": "reset",
    "stream_stopped": "stopped",
}
