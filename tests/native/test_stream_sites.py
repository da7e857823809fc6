"""TLS that ends at a node, and connections that are ready before anybody asks for them."""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Self

import pytest
from tests.native.stream_rig import (
    Node,
    Server,
    StreamHost,
    StreamWorker,
    echo,
    pump_until,
)

from ei._core import Engine
from ei.lab.certificates import make_certificate
from ei.sdk import (
    Legacy,
    OpenStream,
    ReadStream,
    SpliceStreams,
    StartTls,
    StreamData,
    StreamEffect,
    StreamEvent,
    StreamOpened,
    WriteStream,
)

pytestmark = pytest.mark.slow

WEB = make_certificate("www.example.org")
SITES = [(WEB.name, WEB.certificate, WEB.key, ["http/1.1"])]
MUCH = bytes(range(256)) * 4_096


def site(port: int) -> Callable[[StreamEvent], Sequence[StreamEffect]]:
    """End the TLS of every stream, and go on to a server in the clear."""

    def answer(event: StreamEvent) -> Sequence[StreamEffect]:
        match event:
            case StreamOpened(stream=stream) if stream % 2 == 0:
                to = Legacy("127.0.0.1", port)
                return (StartTls(stream, WEB.name), OpenStream(stream | 1, to, ahead=3))
            case StreamOpened(stream=stream):
                return (SpliceStreams(stream - 1, stream),)
            case _:
                return ()

    return answer


class Client:
    """Python's TLS on a stream of a host."""

    def __init__(self, host: StreamHost, *, context: ssl.SSLContext | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or WEB.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=WEB.name)
        self._host = host
        self._stream = host.open()
        self.received = bytearray()

    def step(self, call: Callable[[], object]) -> bool:
        """Try a call of TLS; whether it is done."""
        came = self._host.received[self._stream]
        _ = self._incoming.write(bytes(came))
        came.clear()
        try:
            _ = call()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._host.write(self._stream, self._outgoing.read())
        return True

    def until(self, call: Callable[[], object], node: Node, worker: StreamWorker) -> None:
        """Call until it is done."""
        pump_until(lambda: self.step(call), node, self._host, worker)

    def read(self, count: int, node: Node, worker: StreamWorker) -> bytes:
        """Read so many bytes."""
        while len(self.received) < count:
            self.until(lambda: self.received.extend(self.tls.read(65_536)), node, worker)
        return bytes(self.received)


def test_pythons_tls_ends_at_the_node_and_bytes_go_on_in_the_clear() -> None:
    with Server(echo) as server, Node() as node:
        node.engine.set_sites(SITES)
        worker = node.attach(site(server.port))
        client = Client(node.connected(worker))

        client.until(client.tls.do_handshake, node, worker)
        client.until(lambda: client.tls.write(MUCH), node, worker)

        assert client.tls.selected_alpn_protocol() == "http/1.1"
        assert client.tls.version() == "TLSv1.3"
        assert client.read(len(MUCH), node, worker) == MUCH


def test_a_session_is_resumed() -> None:
    context = WEB.client_context()
    with Server(echo) as server, Node() as node:
        node.engine.set_sites(SITES)
        worker = node.attach(site(server.port))
        host = node.connected(worker)
        first = Client(host, context=context)
        first.until(first.tls.do_handshake, node, worker)
        first.until(lambda: first.tls.write(b"a"), node, worker)
        _ = first.read(1, node, worker)

        again = Client(host, context=context)
        again.tls.session = first.tls.session
        again.until(again.tls.do_handshake, node, worker)

        assert again.tls.session_reused


def test_a_certificate_that_takes_anothers_place_is_the_next_clients() -> None:
    newer = make_certificate(WEB.name)
    with Server(echo) as server, Node() as node:
        node.engine.set_sites(SITES)
        worker = node.attach(site(server.port))
        host = node.connected(worker)
        before = Client(host)
        before.until(before.tls.do_handshake, node, worker)

        node.engine.set_sites([(WEB.name, newer.certificate, newer.key, [])])
        after = Client(host, context=newer.client_context())
        after.until(after.tls.do_handshake, node, worker)

        before.until(lambda: before.tls.write(b"still"), node, worker)
        assert before.read(5, node, worker) == b"still"


def test_sites_that_cannot_be_used_leave_the_old_ones() -> None:
    other = make_certificate("a.example")
    message = r"site www\.example\.org: its certificate and key"
    with Node() as node, pytest.raises(ValueError, match=message):
        node.engine.set_sites([(WEB.name, WEB.certificate, other.key, [])])
    engine = Engine(binds=["127.0.0.1:0"], address=bytes(16), private_key=bytes(range(32)))
    with pytest.raises(RuntimeError, match="start_streams was not called"):
        engine.set_sites([])
    engine.stop()


class Counting:
    """A server that counts its connections, and answers each by its number."""

    def __init__(self) -> None:
        self.accepted: list[socket.socket] = []
        self._lock = threading.Lock()
        self._server = Server(self._serve)
        self.to = Legacy("127.0.0.1", self._server.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()
        for connection in self.accepted:
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.accepted.append(connection)
            number = len(self.accepted)
        if connection.recv(1):
            connection.sendall(b"%d" % number)


def ask(event: StreamEvent) -> Sequence[StreamEffect]:
    """Ask each server that is opened for its number."""
    match event:
        case StreamOpened(stream=stream):
            return (WriteStream(stream, b"?"), ReadStream(stream))
        case _:
            return ()


def answer_of(stream: int, node: Node, worker: StreamWorker) -> int:
    """Return which connection a stream got."""
    found: list[bytes] = []

    def is_there() -> bool:
        found.extend(
            event.data
            for event in worker.events
            if isinstance(event, StreamData) and event.stream == stream
        )
        return bool(found)

    pump_until(is_there, node, worker)
    return int(found[0])


def test_connections_are_ready_before_they_are_asked_for_and_replaced_by_use() -> None:
    with Counting() as counting, Node() as node:
        worker = node.attach(ask)
        worker.order(OpenStream(1, counting.to, ahead=2))
        pump_until(lambda: len(counting.accepted) == 3, node, worker)
        assert answer_of(1, node, worker) in {1, 2, 3}

        worker.order(OpenStream(3, counting.to, ahead=2))
        pump_until(lambda: len(counting.accepted) == 4, node, worker)

        assert answer_of(3, node, worker) in {1, 2, 3}


def test_a_connection_that_its_server_has_closed_is_given_to_nobody() -> None:
    with Counting() as counting, Node() as node:
        worker = node.attach(ask)
        worker.order(OpenStream(1, counting.to, ahead=2))
        pump_until(lambda: len(counting.accepted) == 3, node, worker)
        taken = answer_of(1, node, worker)

        for number, spare in enumerate(tuple(counting.accepted), start=1):
            if number != taken:
                spare.shutdown(socket.SHUT_RDWR)
        worker.order(OpenStream(3, counting.to, ahead=2))

        assert answer_of(3, node, worker) > 3


def test_beyond_1024_targets_none_more_is_kept_ready() -> None:
    with Counting() as counting, Node() as node:
        worker = node.attach(ask)
        targets = [Legacy("127.0.0.1", port) for port in range(2, 1_026)]
        for number, to in enumerate(targets):
            worker.order(OpenStream(2 * number + 1, to, ahead=1))
        last = 2 * len(targets) + 1
        worker.order(OpenStream(last, counting.to, ahead=2))

        assert answer_of(last, node, worker) == 1
        worker.order(OpenStream(last + 2, counting.to, ahead=2))

        assert answer_of(last + 2, node, worker) == 2
        assert len(counting.accepted) == 2


def test_what_rules_no_longer_allow_is_not_kept_ready() -> None:
    with Counting() as counting, Node() as node:
        worker = node.attach(ask)
        worker.order(OpenStream(1, counting.to, ahead=2))
        pump_until(lambda: len(counting.accepted) == 3, node, worker)

        node.engine.set_internet([])
        worker.order(OpenStream(3, counting.to, ahead=2))
        pump_until(lambda: 3 in worker.closed, node, worker)

        assert worker.closed[3].reason == "not_allowed"
