"""Streams with hosts and with services at nodes, pure: QUIC on connections of L3.5.

One QUIC connection to a host, on a connection of delivery, carries as many streams with it as that
allows; then there is another one. One to a node, on a connection of a service, carries all with
that service there. A stream begins with the port that it is for, or with what the service is told
(`ei.host.stream_ports`), before anything that the application writes.
"""

from collections import Counter
from collections.abc import Callable
from typing import Literal

from ei._core import Streams
from ei.errors import LimitError, LocalError, NotFoundError, StreamError
from ei.host.deadlines import earliest
from ei.host.events import (
    MOVEMENTS,
    HostEvent,
    StreamArrived,
    StreamConnected,
    StreamLost,
    StreamMoved,
    StreamsAvailable,
)
from ei.host.finding import host_key, service_key
from ei.host.joints import Joints
from ei.host.sessions import DELIVERY, Outgoing
from ei.host.stream_codes import ABORTED, NO_LISTENER
from ei.host.stream_ports import (
    MOST_BESIDE,
    ConnectionKey,
    StreamKey,
    Unrouted,
    Unsaid,
    encode_opening,
    encode_port,
)
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address


class StreamConnections:
    """All stream connections of one host; made when the first is needed.

    Args:
        address: This host's.
        make: Returns the native endpoint.
        records: Whose key is whose.
        draw: Returns a random connection number, 64 bits.
        emit: Takes each event.

    Attributes:
        joints: Streams that are joined to TCP connections.
        dropped: Streams of peers that were refused before they had a port, by reason.
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
        self._is_up: dict[ConnectionKey, bool] = {}
        self._full: set[ConnectionKey] = set()
        """Those whose peer allows no more streams now."""
        self._services: dict[ConnectionKey, int] = {}
        """Of connections to nodes, also of the last one that ended; all others are of delivery."""
        self._unsaid: dict[StreamKey, Unsaid] = {}
        self._unrouted = Unrouted()
        self.joints = Joints(self._native)
        self.dropped: Counter[str] = Counter()

    # -- connections ------------------------------------------------------------------------------

    def connect(
        self, now_ns: int, to: Address, *, service: int = DELIVERY
    ) -> tuple[ConnectionKey, bool]:
        """Return (connection to host or service, whether it is up): one that exists, or a new one.

        `StreamConnected` or `StreamLost` follows for one that is not up.

        Args:
            to: A host or, for a service other than delivery, a node with a pipe.

        Raises:
            NotFoundError: the records do not know the host, or not the service at the node.
            LimitError: too many connections.
            LocalError: it is this host itself.
        """
        of_these = [key for key in self._is_up if key[0] == to and self._service_of(key) == service]
        have_room = [key for key in of_these if key not in self._full]
        if have_room or len(of_these) >= (MOST_BESIDE if service == DELIVERY else 1):
            key = (have_room or of_these)[0]
            return key, self._is_up[key]
        if service == DELIVERY:
            identity_key = host_key(self._records(), to)
        else:
            identity_key = service_key(self._records(), to, service)
        if to == self._address:
            raise LocalError("a host opens no stream to itself")
        key = (to, self._draw())
        try:
            self._native().connect(now_ns, to, key[1], identity_key)
        except ConnectionError as error:
            raise LimitError(f"no stream connection to {self._name(to)}: {error}") from error
        self._is_up[key] = False
        if service != DELIVERY:
            self._services = {
                old: which
                for old, which in self._services.items()
                if old in self._is_up or (old[0], which) != (to, service)
            }
            self._services[key] = service
        return key, False

    def close(self, now_ns: int, key: ConnectionKey, *, reason: str) -> None:
        """End a connection, its streams with it. Idempotent."""
        if key in self._is_up:
            self._forget(key)
            self._native().close(now_ns, *key, reason=reason)

    def close_all(self, now_ns: int, *, reason: str) -> None:
        """End every connection, also those that are not up yet."""
        for key in list(self._is_up):
            self.close(now_ns, key, reason=reason)

    def close_to(self, now_ns: int, host: Address) -> None:
        """End every connection with a host whose key counts no more."""
        for key in [key for key in self._is_up if key[0] == host]:
            self.close(now_ns, key, reason="revoked")
            name = self._name(host)
            self._emit(StreamLost(*key, "revoked", f"the key of {name} counts no more"))

    def lose_node(self, now_ns: int, node: Address) -> None:
        """End every connection with services of a node whose pipe went down."""
        for key in [key for key in self._services if key[0] == node and key in self._is_up]:
            self.close(now_ns, key, reason="the pipe went down")
            name = self._name(node)
            self._emit(StreamLost(*key, "node_lost", f"the pipe to {name} went down"))

    def path_changed(self, now_ns: int) -> None:
        """The host uses another of its nodes: every path to a host is another one."""
        if self._streams is not None:
            for peer in dict.fromkeys(key[0] for key in self._is_up if key not in self._services):
                self._streams.path_changed(now_ns, peer)

    def ask(self, now_ns: int, peer: Address) -> None:
        """Say something on the connections with a peer, which has to answer."""
        self._native().ask(now_ns, peer)

    def measure(self, key: ConnectionKey, what: str) -> int:
        """Return a number of the native side about a connection; 0 when it is gone."""
        try:
            return self._native().connection_statistics(*key)[what]
        except ConnectionError:
            return 0

    # -- payloads and time ------------------------------------------------------------------------

    def carries(self, source: Address, connection: int, service: int) -> bool:
        """Return whether a connection is one of this host's with a service at a node."""
        return self._services.get((source, connection)) == service

    def handle(self, now_ns: int, source: Address, connection: int, payloads: list[bytes]) -> None:
        """Take payloads of one connection."""
        self._native().handle_many(now_ns, source, connection, payloads)

    def poll(self, now_ns: int) -> None:
        """Do what is due."""
        if self._streams is None:
            return
        self._streams.poll(now_ns)
        for key in self._unrouted.take_due(now_ns):
            self._refuse(key, "stream_without_port")

    def next_deadline_ns(self) -> int | None:
        """Return when to `poll` and to send next."""
        if self._streams is None:
            return None
        return earliest(self._streams.next_deadline_ns(), self._unrouted.next_deadline_ns())

    def take_outgoing(self, now_ns: int) -> list[Outgoing]:
        """Return what is to be sent now, and tell what happened."""
        if self._streams is None:
            return []
        self._take_events(now_ns)
        return [
            Outgoing(to := Address(peer), connection, payloads, self._service_of((to, connection)))
            for peer, connection, payloads in self._streams.take_transmits(now_ns)
        ]

    # -- streams ----------------------------------------------------------------------------------

    def open_stream(self, key: ConnectionKey, port: int) -> StreamKey | None:
        """Open a stream to a port; `None` while the peer allows no more (`StreamsAvailable`).

        Raises:
            StreamError: the connection is gone.
        """
        return self._begin(key, encode_port(port))

    def open_service_stream(self, key: ConnectionKey, opening: bytes) -> StreamKey | None:
        """Open a stream to the service of a connection, for what `opening` says; as `open_stream`.

        Raises:
            LocalError: the opening is too long; else as `open_stream`.
        """
        return self._begin(key, encode_opening(opening))

    def _begin(self, key: ConnectionKey, beginning: bytes) -> StreamKey | None:
        try:
            stream = self._native().open_stream(*key, is_bidirectional=True)
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error
        if stream is None:
            self._full.add(key)
            return None
        opened = (*key, stream)
        self._unsaid[opened] = Unsaid(beginning)
        self._say_beginning(opened)
        return opened

    def has_begun(self, key: StreamKey) -> bool:
        """Return whether the beginning of a stream is written, so that nothing can overtake it."""
        return key not in self._unsaid

    def write(self, key: StreamKey, data: bytes, start: int) -> int:
        """Write `data` from `start` on; return how many bytes were taken (else `writable`).

        Raises:
            StreamError: the stream or its connection is gone, or the peer wants no more.
        """
        if key in self._unsaid:
            return 0
        try:
            return self._native().write(*key, data, start)
        except BrokenPipeError as error:
            raise StreamError(str(error), kind="stopped") from error
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error

    def finish(self, key: StreamKey) -> None:
        """End a stream after what was written. Raises as `write`."""
        if key in self._unsaid:
            self._unsaid[key].is_finished = True
            return
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
        """Give up both directions of a stream, for a reason that hosts are told. Idempotent."""
        _ = self._unsaid.pop(key, None)
        code = 0 if key[:2] in self._services else code
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

    def _service_of(self, key: ConnectionKey) -> int:
        return self._services.get(key, DELIVERY)

    def _take_events(self, now_ns: int) -> None:  # noqa: C901 one case for each kind
        while events := self._native().take_events():
            for event in events:
                key = (Address(event[1]), event[2])
                match event:
                    case ("key_wanted", _, _):
                        self._answer(now_ns, key)
                    case ("connected", _, _):
                        self._is_up[key] = True
                        self._emit(StreamConnected(*key))
                    case ("lost", _, _, kind, text, _):
                        self._lose(key, kind, text)
                    case ("stream_opened", _, _, stream, is_bidirectional):
                        self._meet(now_ns, (*key, stream), is_bidirectional=is_bidirectional)
                    case ("streams_available", _, _, _):
                        self._full.discard(key)
                        self._emit(StreamsAvailable(*key))
                    case (what, _, _, stream, *rest):
                        self._move((*key, stream), what, *rest)

    def _answer(self, now_ns: int, key: ConnectionKey) -> None:
        try:
            self._native().accept(now_ns, *key, host_key(self._records(), key[0]))
        except NotFoundError:
            self._native().refuse(now_ns, *key)
        except ConnectionError:
            return  # its time was over, or there is no room: the native side has refused it
        else:
            self._is_up[key] = False

    def _lose(self, key: ConnectionKey, kind: str, text: str) -> None:
        self._forget(key)
        self._emit(StreamLost(*key, kind, text))

    def _forget(self, key: ConnectionKey) -> None:
        _ = self._is_up.pop(key, None)
        self._full.discard(key)
        self._unrouted.remove_connection(key)
        for stream in [stream for stream in self._unsaid if stream[:2] == key]:
            del self._unsaid[stream]

    def _meet(self, now_ns: int, key: StreamKey, *, is_bidirectional: bool) -> None:
        if key[:2] in self._services:
            self._refuse(key, "stream_unasked")
        elif not is_bidirectional:
            self._refuse(key, "stream_one_way")
        elif not self._unrouted.add(now_ns, key):
            self._refuse(key, "unrouted_full")

    def _refuse(self, key: StreamKey, reason: str) -> None:
        self.dropped[reason] += 1
        self.abort(key, NO_LISTENER)

    def _move(self, key: StreamKey, what: str, code: int = 0) -> None:
        if key in self._unsaid:
            self._say_beginning(key)
        if key in self._unsaid:
            return
        if key not in self._unrouted:
            self._emit(StreamMoved(*key, MOVEMENTS[what], code))
        elif what == "readable":
            self._route(key)
        elif what == "stream_reset":
            self._unrouted.remove(key)

    def _say_beginning(self, key: StreamKey) -> None:
        """Write what the window takes of how an own stream begins; nothing may overtake it."""
        unsaid = self._unsaid[key]
        try:
            taken = self._native().write(*key, unsaid.beginning)
            unsaid.beginning = unsaid.beginning[taken:]
            if unsaid.beginning:
                return
            if unsaid.is_finished:
                self._native().finish(*key)
        except ConnectionError:
            pass  # whoever uses the stream is told
        del self._unsaid[key]

    def _route(self, key: StreamKey) -> None:
        """Read the port of a new stream."""
        try:
            got, state, _ = self.read(key, self._unrouted.missing(key))
        except StreamError:
            self._unrouted.remove(key)
            return
        port = self._unrouted.take(key, got)
        if port is not None:
            self._emit(StreamArrived(*key, port))
            # What follows the port may be there already, and is announced once only.
            self._emit(StreamMoved(*key, "readable", 0))
        elif state != "open":
            self._unrouted.remove(key)
            self._refuse(key, "stream_without_port")
