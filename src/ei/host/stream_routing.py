"""Who gets what happens to streams: those that wait for a connection, streams, listeners."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import assert_never
from weakref import WeakValueDictionary

from ei.errors import (
    ConflictError,
    DeadlineError,
    EiError,
    LimitError,
    NotFoundError,
    StreamError,
)
from ei.host.deadlines import within
from ei.host.events import (
    StreamArrived,
    StreamConnected,
    StreamLost,
    StreamMoved,
    StreamsAvailable,
)
from ei.host.ranges import check_port, check_service
from ei.host.sessions import DELIVERY
from ei.host.stack import Stack
from ei.host.stream_codes import NO_LISTENER
from ei.host.stream_connections import StreamConnections
from ei.host.stream_ports import ConnectionKey, StreamKey
from ei.host.streams import Stream, StreamListener
from ei.sdk.packets import Address

KEEP_S = 10.0
"""So long a connection with open streams may be silent before it is asked whether it is there."""

Begin = Callable[[ConnectionKey], StreamKey | None]
"""Opens a stream on a connection; `None` while the peer allows no more."""

StreamEvent = StreamConnected | StreamLost | StreamArrived | StreamMoved | StreamsAvailable


class StreamRouter:
    """Streams and listeners of one host, or the streams of one of its circuits.

    Args:
        connections: What they go over.
        now_ns: Reads the clock.
        touched: Called after the stack was given something to send.

    Attributes:
        dropped: Streams of peers that no listener took, by reason.
    """

    def __init__(
        self,
        stack: Stack,
        connections: StreamConnections,
        *,
        now_ns: Callable[[], int],
        touched: Callable[[], None],
    ) -> None:
        self._stack = stack
        self._connections = connections
        self._now_ns = now_ns
        self._touched = touched
        self._listeners: dict[int, StreamListener] = {}
        # A program that reads no stream to its end lets go of it, and that is its end here.
        self._streams = WeakValueDictionary[StreamKey, Stream]()
        self._up: set[ConnectionKey] = set()
        self._losses: dict[ConnectionKey, StreamError] = {}
        self._ending: EiError | None = None
        self._heard: dict[ConnectionKey, int] = {}
        self._keeping: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._waiting = 0
        self._watching: asyncio.AbstractEventLoop | None = None
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._streams)

    async def open(self, to: Address, port: int, *, deadline_s: float) -> Stream:
        """Open a stream to a port of a host; see `Host.open_stream`."""
        check_port(port)
        what = f"stream to {self._stack.records.name_of(to)} port {port}"
        begin = partial(self._connections.open_stream, port=port)
        key = await self._begun(to, DELIVERY, begin, what, deadline_s)
        return self._make(key, port=port)

    async def open_service(
        self, service: int, opening: bytes, *, node: Address | None, deadline_s: float
    ) -> Stream:
        """Open a stream to a service at a node; see `Host.open_service_stream`."""
        check_service(service)
        attachments, records = self._stack.attachments, self._stack.records
        at = attachments.via if node is None else node
        name = records.name_of(at)
        if at not in attachments.nodes:
            known = ", ".join(map(records.name_of, attachments.nodes))
            raise NotFoundError(f"{name} is none of the nodes of this host: {known}")
        return await self.open_at(at, service, opening, deadline_s=deadline_s)

    async def open_at(
        self, node: Address, service: int, opening: bytes, *, deadline_s: float
    ) -> Stream:
        """Open a stream to a service at a node to which packets find their way.

        Raises:
            DeadlineError, StreamError: as `Host.open_service_stream`.
        """
        what = f"stream to service {service} at {self._stack.records.name_of(node)}"
        begin = partial(self._connections.open_service_stream, opening=opening)
        key = await self._begun(node, service, begin, what, deadline_s)
        return self._make(key, service=service)

    def listen(self, port: int, *, limit_items: int) -> StreamListener:
        """Accept streams on a port; see `Host.accept_streams`."""
        check_port(port)
        if port in self._listeners:
            raise ConflictError(f"somebody listens for streams on port {port} already")
        listener = StreamListener(port, release=self._release, limit_items=limit_items)
        self._listeners[port] = listener
        return listener

    def take(self, event: StreamEvent) -> bool:
        """Hand an event to whom it is meant for; return whether anybody took it."""
        match event:
            case StreamConnected():
                self._up.add((event.peer, event.connection))
                self._news.set()
            case StreamLost():
                self._lose(event)
            case StreamsAvailable():
                self._news.set()
            case StreamArrived():
                return self._arrive(event)
            case StreamMoved():
                key = (event.peer, event.connection, event.stream)
                stream = self._streams.get(key)
                if stream is not None:
                    stream.move(event)
            case _:
                assert_never(event)
        return True

    def forget(self, key: StreamKey) -> None:
        """A stream has ended both ways."""
        _ = self._streams.pop(key, None)

    def close(self, error: EiError) -> None:
        """Close all listeners, streams and connections; whoever waits is told."""
        self._ending = error
        self._news.set()
        if self._keeping is not None:
            self._keeping.cancel()
        if self._watching is not None:
            _ = self._watching.remove_reader(self._connections.joints.fileno())
        for listener in list(self._listeners.values()):
            listener.close()
        for stream in list(self._streams.values()):
            stream.lose(StreamError(str(error), kind="closed"))
        self._connections.close_all(self._now_ns(), reason="the host was closed")

    def _connect(self, to: Address, service: int) -> ConnectionKey:
        key, is_up = self._connections.connect(self._now_ns(), to, service=service)
        if is_up:
            self._up.add(key)
        self._touched()
        return key

    async def _begun(
        self,
        to: Address,
        service: int,
        begin: Begin,
        what: str,
        deadline_s: float,
    ) -> StreamKey:
        """Return a new stream, once its connection is up and the peer allows one more."""
        key = self._connect(to, service)
        self._waiting += 1
        try:
            async with within(deadline_s, what):
                while (stream_key := self._try_begin(key, begin)) is None:
                    best = self._connect(to, service)
                    if best == key:
                        self._news.clear()
                        _ = await self._news.wait()
                    key = best
        except DeadlineError as error:
            if key not in self._up:
                raise
            raise LimitError(f"no {what}: as many are open as it allows at a time") from error
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._losses.clear()
        return stream_key

    def _try_begin(self, key: ConnectionKey, begin: Begin) -> StreamKey | None:
        if self._ending is not None:
            raise self._ending
        if key in self._losses:
            raise self._losses[key]
        return begin(key) if key in self._up else None

    def _make(self, key: StreamKey, *, port: int = 0, service: int = DELIVERY) -> Stream:
        stream = Stream(
            self._connections,
            key,
            port=port,
            service=service,
            touched=self._touched,
            forget=lambda: self.forget(key),
            join=partial(self._join, key),
        )
        self._streams[key] = stream
        if self._keeping is None:
            self._keeping = asyncio.get_running_loop().call_later(KEEP_S, self._keep)
        self._touched()
        return stream

    def _join(self, key: StreamKey, connection: socket.socket, keep_bytes: int) -> None:
        joints = self._connections.joints
        joints.join(self._now_ns(), key, connection.detach(), keep_bytes=keep_bytes)
        if self._watching is None:
            self._watching = asyncio.get_running_loop()
            self._watching.add_reader(joints.fileno(), self._on_connections)
        self._touched()

    def _on_connections(self) -> None:
        self._connections.joints.poll(self._now_ns())
        self._touched()

    def _keep(self) -> None:
        """Keep connections up whose streams are open and silent, as of people who think."""
        self._keeping = None
        heard = {
            key[:2]: self._connections.measure(key[:2], "payloads_received")
            for key in self._streams
        }
        for key, count in heard.items():
            if self._heard.get(key) == count:
                self._connections.ask(self._now_ns(), key[0])
                self._touched()
        self._heard = heard
        if heard:
            self._keeping = asyncio.get_running_loop().call_later(KEEP_S, self._keep)

    def _arrive(self, event: StreamArrived) -> bool:
        key = (event.peer, event.connection, event.stream)
        listener = self._listeners.get(event.port)
        if listener is None:
            self.dropped["no_listener"] += 1
        elif listener.inbox.put(self._make(key, port=event.port)):
            return True
        else:
            self.dropped["receiver_busy"] += 1
        self.forget(key)
        self._connections.abort(key, NO_LISTENER)
        self._touched()
        return False

    def _lose(self, event: StreamLost) -> None:
        key = (event.peer, event.connection)
        name = self._stack.records.name_of(event.peer)
        error = StreamError(f"the connection to {name} is gone: {event.text}", kind=event.kind)
        self._up.discard(key)
        if self._waiting:
            self._losses[key] = error
            self._news.set()
        for stream_key, stream in list(self._streams.items()):
            if stream_key[:2] == key:
                stream.lose(error)

    def _release(self, listener: StreamListener) -> None:
        if self._listeners.get(listener.port) is listener:
            del self._listeners[listener.port]
