"""A node's engine with streams: hosts that open them, a worker that a test answers for, servers.

host ── QUIC ── Engine ── TCP, UDP ── server        the worker's answers are a function of the test
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Self

import msgspec
from tests.native.rig import WITHIN_S, Host, address, key

from ei._core import Engine, Streams, monotonic_ns, public_key
from ei.runtime.batches import Answer, EffectBatch, EventBatch, Outcome
from ei.runtime.worker import socket_pair
from ei.sdk import (
    Address,
    Legacy,
    OpenStream,
    SpliceStreams,
    StreamClosed,
    StreamEffect,
    StreamEvent,
    StreamOpened,
)

TUNNEL = 32
STREAMS = 2
"""`Protection.STREAMS`."""

NODE = 200
OTHER_NODE = 201

Handler = Callable[[StreamEvent], Sequence[StreamEffect]]


def identity(number: int) -> bytes:
    """Private Ed25519 key of the host or node `number`."""
    return bytes([number, 2]) * 16


def public_identity(number: int) -> bytes:
    """Public Ed25519 key of the host or node `number`."""
    return Streams(identity_key=identity(number)).public_key


class StreamHost(Host):
    """A host with one connection of streams to its node, for the service `TUNNEL`."""

    connection = 7

    def __init__(self, number: int, *, endpoint: str) -> None:
        super().__init__(number, endpoint=endpoint)
        self.streams = Streams(identity_key=identity(number), buffer_bytes=1 << 26)
        self.is_connected = False
        self.lost: str | None = None
        self.received: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.reads = True
        self._unsent: dict[int, bytearray] = {}
        self._finishing: set[int] = set()

    def connect(self) -> None:
        """Connect to the node."""
        self.streams.connect(monotonic_ns(), address(NODE), self.connection, public_identity(NODE))

    def open(self, opening: bytes = b"", first: bytes = b"") -> int:
        """Open a stream and write its first bytes."""
        stream = self.streams.open_stream(address(NODE), self.connection, is_bidirectional=True)
        assert stream is not None
        self.received[stream] = bytearray()
        self.write(stream, len(opening).to_bytes(2, "little") + opening + first)
        return stream

    def write(self, stream: int, data: bytes, *, is_end: bool = False) -> None:
        """Write when there is room."""
        self._unsent.setdefault(stream, bytearray()).extend(data)
        if is_end:
            self._finishing.add(stream)

    def pump(self) -> None:
        """Receive what waits, do what is due, read and write streams, send."""
        now_ns = monotonic_ns()
        _ = self.socket.receive(self.datapath, now_ns)
        self.datapath.poll(now_ns)
        for notice in self.datapath.take_notices():
            if notice[0] in {"peer_up", "peer_down"}:
                self.is_up = notice[0] == "peer_up"
        for _, _, source, connection, _, _, _, payloads in self.datapath.take_received():
            self.streams.handle_many(now_ns, source, connection, payloads)
        self.streams.poll(now_ns)
        self._take_events()
        self._write_on()
        for peer, connection, payloads in self.streams.take_transmits(now_ns):
            _ = self.datapath.send(
                now_ns, peer, TUNNEL, connection, b"", payloads, protection=STREAMS
            )
            _ = self.socket.flush(self.datapath)
        _ = self.socket.flush(self.datapath)

    def read(self) -> None:
        """Read all streams."""
        for stream in list(self.received):
            self._read(stream)

    def _take_events(self) -> None:
        for event in self.streams.take_events():
            match event:
                case ("connected", *_):
                    self.is_connected = True
                case ("lost", _, _, kind, *_):
                    self.lost = kind
                case ("readable", _, _, stream) if self.reads:
                    self._read(stream)
                case ("stream_reset" | "stream_stopped", _, _, stream, code):
                    self.resets[stream] = code
                case _:
                    pass

    def _read(self, stream: int) -> None:
        if stream in self.ended or stream in self.resets:
            return
        state = "open"
        piece = b"more"
        while piece and state == "open":
            piece, state, code = self.streams.read(address(NODE), self.connection, stream, 1 << 20)
            self.received[stream] += piece
        if state == "finished":
            self.ended.add(stream)
        elif state == "reset":
            self.resets[stream] = code

    def _write_on(self) -> None:
        for stream, unsent in list(self._unsent.items()):
            if stream in self.resets:
                del self._unsent[stream]
                continue
            taken = self.streams.write(
                address(NODE), self.connection, stream, bytes(unsent[: 1 << 18])
            )
            del unsent[:taken]
            if not unsent:
                del self._unsent[stream]
                if stream in self._finishing:
                    self.streams.finish(address(NODE), self.connection, stream)


class StreamWorker:
    """The test's end of the sockets of `TUNNEL`; the last is that of the streams."""

    def __init__(self, ends: list[socket.socket], handler: Handler) -> None:
        self._ends = ends
        self._handler = handler
        self.events: list[StreamEvent] = []

    @property
    def closed(self) -> dict[int, StreamClosed]:
        """The last word on each stream that is closed."""
        return {event.stream: event for event in self.events if isinstance(event, StreamClosed)}

    def order(self, *effects: StreamEffect) -> None:
        """Ask for something by itself."""
        self._send(0, (Answer(Outcome.NONE, "", effects),))

    def pump(self) -> None:
        """Answer the batches that wait."""
        *others, ours = self._ends
        for end in others:
            while select.select([end], [], [], 0)[0]:
                batch = msgspec.msgpack.decode(end.recv(1 << 18), type=EventBatch)
                answers = tuple(Answer(Outcome.NONE, "", ()) for _ in batch.items)
                _ = end.send(msgspec.msgpack.encode(EffectBatch(batch.sequence, 0, answers)))
        while select.select([ours], [], [], 0)[0]:
            received = ours.recv(1 << 20)
            if not received:
                return
            batch = msgspec.msgpack.decode(received, type=EventBatch)
            self._send(batch.sequence, tuple(self._answer(item) for item in batch.items))

    def filenos(self) -> list[int]:
        """What to wait for."""
        return [end.fileno() for end in self._ends]

    def close(self) -> None:
        """Hang up."""
        for end in self._ends:
            end.close()

    def _answer(self, item: object) -> Answer:
        assert isinstance(item, StreamEvent)
        self.events.append(item)
        return Answer(Outcome.NONE, "", tuple(self._handler(item)))

    def _send(self, sequence: int, answers: tuple[Answer, ...]) -> None:
        batch = EffectBatch(sequence, 0, answers)
        _ = self._ends[-1].send(msgspec.msgpack.encode(batch))


class Node:
    """A running engine with streams that knows the hosts 1 to 9."""

    def __init__(self, number: int = NODE, **changed: object) -> None:
        self.number = number
        self.engine = Engine(
            binds=["127.0.0.1:0"], address=address(number), private_key=key(number), spin_us=0
        )
        for host in range(1, 10):
            self.engine.add_peer(address(host), public_key(key(host)), kind="host")
        self.engine.add_service(TUNNEL, streams=True)
        usual: dict[str, object] = {"internet": ["127.0.0.0/8:*"]}
        self.engine.start_streams(identity(number), **{**usual, **changed})  # type: ignore[arg-type]
        self.engine.start()
        self.known = set(range(1, 10)) | {NODE, OTHER_NODE}
        self._parts: list[StreamHost | StreamWorker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            part.close()
        self.engine.stop()

    def host(self, number: int = 1) -> StreamHost:
        """Make a host that dials the node."""
        host = StreamHost(number, endpoint=self.engine.endpoints[0])
        self._parts.append(host)
        return host

    def attach(self, handler: Handler) -> StreamWorker:
        """Give the service its worker."""
        pairs = [socket_pair() for _ in range(2)]
        worker = StreamWorker([ours for _, ours in pairs], handler)
        self._parts.append(worker)
        self.engine.attach_worker(TUNNEL, [theirs.detach() for theirs, _ in pairs])
        return worker

    def connected(self, worker: StreamWorker, number: int = 1) -> StreamHost:
        """Make a host, and wait for its connection."""
        host = self.host(number)
        pump_until(lambda: host.is_up, self, host, worker)
        host.connect()
        pump_until(lambda: host.is_connected, self, host, worker)
        return host

    def counts(self) -> dict[str, int]:
        """Return the counters of streams that are plain numbers."""
        found = self.engine.statistics()["streams"]
        assert isinstance(found, dict)
        return {name: count for name, count in found.items() if isinstance(count, int)}

    def pump(self) -> None:
        """Say whose keys are known."""
        for notice in self.engine.take_notices():
            if notice[0] == "stream_key_wanted":
                number = notice[1][-1]
                known = public_identity(number) if number in self.known else None
                self.engine.set_stream_peer(notice[1], known)

    def filenos(self) -> list[int]:
        """What to wait for."""
        return [self.engine.notice_fd()]


Part = Node | StreamHost | StreamWorker


def pump_until(is_done: Callable[[], bool], *parts: Part, within_s: float = WITHIN_S) -> None:
    """Pump all parts until `is_done`; fail when that takes too long."""
    ends_ns = monotonic_ns() + int(within_s * 1e9)
    descriptors = [descriptor for part in parts for descriptor in part.filenos()]
    while not is_done():
        assert monotonic_ns() < ends_ns, f"not within {within_s} s"
        _ = select.select(descriptors, [], [], 0.01)
        for part in parts:
            part.pump()


def tunnel(port: int, host: str = "127.0.0.1") -> Handler:
    """Splice every stream that is opened with one to a TCP port."""

    def answer(event: StreamEvent) -> Sequence[StreamEffect]:
        match event:
            case StreamOpened(stream=stream) if stream % 2 == 0:
                return (OpenStream(stream | 1, Legacy(host, port)),)
            case StreamOpened(stream=stream):
                return (SpliceStreams(stream - 1, stream),)
            case _:
                return ()

    return answer


class Server:
    """A TCP server on loopback: `serve` has each connection to itself, in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=4_096)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()


def echo(connection: socket.socket) -> None:
    """Send back what comes, and the end when it comes."""
    with connection, contextlib.suppress(OSError):
        while piece := connection.recv(1 << 18):
            connection.sendall(piece)


def to_address(number: int) -> Address:
    """Address of the host or node `number`, as the SDK has it."""
    return Address(address(number))
