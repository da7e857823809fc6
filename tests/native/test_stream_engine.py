"""Streams of services at a node: hosts by QUIC, servers by TCP and UDP, a worker between them."""

import contextlib
import hashlib
import random
import resource
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.native.rig import address, key
from tests.native.stream_rig import (
    NODE,
    OTHER_NODE,
    TUNNEL,
    Node,
    Server,
    echo,
    pump_until,
    to_address,
    tunnel,
)

from ei._core import Engine, monotonic_ns, public_key
from ei.sdk import (
    AtHost,
    AtNode,
    CloseStream,
    Legacy,
    Meter,
    OpenStream,
    ReadStream,
    SpliceStreams,
    StreamClosed,
    StreamData,
    StreamEffect,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    WriteStream,
)

pytestmark = pytest.mark.slow

BULK_BYTES = 100 * 1024 * 1024


def reset(connection: socket.socket) -> None:
    """Reset after the first bytes."""
    _ = connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silent(_: StreamEvent) -> Sequence[StreamEffect]:
    """Ask for nothing."""
    return ()


# -- splices --------------------------------------------------------------------------------------


def test_a_stream_is_spliced_with_tcp_and_ends_both_ways() -> None:
    with Server(echo) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)

        stream = host.open(b"what for", b"hello")
        host.write(stream, b" world", is_end=True)
        pump_until(lambda: len(worker.closed) == 2 and stream in host.ended, node, host, worker)

        assert host.received[stream] == b"hello world"
        opened = [event for event in worker.events if isinstance(event, StreamOpened)]
        assert [(event.stream, event.peer, event.opening) for event in opened] == [
            (2, to_address(1), b"what for"),
            (3, to_address(NODE), b""),
        ]
        assert {event.reason for event in worker.closed.values()} == {"ended"}
        assert (worker.closed[3].read_bytes, worker.closed[3].written_bytes) == (11, 11)
        assert worker.closed[2].read_bytes >= 11
        assert node.counts()["open"] == 0


def test_bulk_crosses_unchanged_in_both_directions() -> None:
    with Server(echo) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)
        data = random.Random(7).randbytes(BULK_BYTES)

        stream = host.open()
        host.write(stream, data, is_end=True)
        pump_until(lambda: stream in host.ended, node, host, worker, within_s=120)

        found = hashlib.sha256(host.received[stream]).digest()
        assert found == hashlib.sha256(data).digest()


def test_a_meter_slows_a_splice_and_loses_nothing() -> None:
    meter = Meter(b"token", rate_bytes_per_s=4_000_000, burst_bytes=100_000)
    with Server(echo) as server, Node() as node:
        inner = tunnel(server.port)

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            return [
                msgspec.structs.replace(effect, meter=meter)
                if isinstance(effect, SpliceStreams)
                else effect
                for effect in inner(event)
            ]

        worker = node.attach(answer)
        host = node.connected(worker)
        data = random.Random(7).randbytes(1_000_000)
        began_ns = monotonic_ns()

        stream = host.open()
        host.write(stream, data, is_end=True)
        pump_until(lambda: stream in host.ended, node, host, worker)

        assert host.received[stream] == data
        took_s = (monotonic_ns() - began_ns) / 1e9
        assert 0.47 < took_s < 2, "both directions take tokens"


def test_two_servers_are_spliced_in_the_kernel() -> None:
    data = random.Random(7).randbytes(BULK_BYTES)
    digests: list[bytes] = []

    def give(connection: socket.socket) -> None:
        with connection:
            connection.sendall(data)

    def take(connection: socket.socket) -> None:
        digest = hashlib.sha256()
        with connection:
            while piece := connection.recv(1 << 20):
                digest.update(piece)
        digests.append(digest.digest())

    with Server(give) as giver, Server(take) as taker, Node() as node:
        ready: list[int] = []

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            if isinstance(event, StreamOpened):
                ready.append(event.stream)
                return (SpliceStreams(1, 3),) if len(ready) == 2 else ()
            return ()

        worker = node.attach(answer)
        before = node.counts()["cpu_ns"]
        worker.order(
            OpenStream(1, Legacy("127.0.0.1", giver.port)),
            OpenStream(3, Legacy("127.0.0.1", taker.port)),
        )
        pump_until(lambda: len(worker.closed) == 2, node, worker, within_s=60)

        assert digests == [hashlib.sha256(data).digest()]
        assert worker.closed[1].read_bytes == worker.closed[3].written_bytes == BULK_BYTES
        spent_ns = node.counts()["cpu_ns"] - before
        assert spent_ns / BULK_BYTES < 10, f"{spent_ns / BULK_BYTES:.2f} ns for a byte"


def test_datagrams_of_udp_are_frames_on_the_stream() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        Node() as node,
    ):
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            match event:
                case StreamOpened(stream=2):
                    return (OpenStream(3, Legacy("127.0.0.1", port, "udp")),)
                case StreamOpened(stream=3):
                    return (SpliceStreams(2, 3),)
                case _:
                    return ()

        worker = node.attach(answer)
        host = node.connected(worker)
        frames = b"\x03\x00one\x05\x00three"
        stream = host.open(first=frames)
        pump_until(lambda: node.counts()["spliced_bytes"] == len(frames), node, host, worker)
        first, sender = server.recvfrom(100)
        second = server.recv(100)

        _ = server.sendto(b"answer", sender)
        pump_until(lambda: bool(host.received[stream]), node, host, worker)

        assert (first, second) == (b"one", b"three")
        assert host.received[stream] == b"\x06\x00answer"


# -- pulling --------------------------------------------------------------------------------------


def test_a_service_reads_what_it_asks_for_and_writes_within_its_window() -> None:
    with Node() as node:

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            match event:
                case StreamOpened(stream=stream):
                    return (ReadStream(stream, limit=1_000),)
                case StreamData(stream=stream, data=data, is_end=is_end):
                    assert len(data) <= 1_000
                    written = WriteStream(stream, data, is_end)
                    return (written,) if is_end else (written, ReadStream(stream, limit=1_000))
                case _:
                    return ()

        worker = node.attach(answer)
        host = node.connected(worker)
        data = random.Random(7).randbytes(2_000_000)
        stream = host.open()
        host.write(stream, data, is_end=True)
        pump_until(
            lambda: bool(worker.closed) and stream in host.ended, node, host, worker, within_s=30
        )

        assert host.received[stream] == data
        assert worker.closed[2] == StreamClosed(2, "ended", len(data), len(data))
        assert any(isinstance(event, StreamWritable) for event in worker.events)


def test_writing_beyond_the_window_closes_the_stream() -> None:
    with Node() as node:

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            if isinstance(event, StreamOpened):
                whole = [WriteStream(event.stream, bytes(1 << 14))] * (event.window >> 14)
                return (*whole, WriteStream(event.stream, bytes((event.window % (1 << 14)) + 1)))
            return ()

        worker = node.attach(answer)
        host = node.connected(worker)
        stream = host.open()
        pump_until(lambda: bool(worker.closed) and bool(host.resets), node, host, worker)

        assert worker.closed[2].reason == "stream_overrun"
        assert host.resets == {stream: 6}


def test_nothing_is_read_that_nobody_asked_for() -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        with connection, contextlib.suppress(OSError):
            while True:
                sent += connection.send(bytes(1 << 16))

    with Server(endless) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)
        host.reads = False
        stream = host.open()
        before, still = -1, 0
        while still < 20:
            with contextlib.suppress(AssertionError):
                pump_until(lambda: False, node, host, worker, within_s=0.05)
            still = still + 1 if sent == before else 0
            before = sent

        assert 1 << 20 < sent < 96 << 20

        host.reads = True
        host.read()
        pump_until(lambda at=sent + (8 << 20): sent > at, node, host, worker)  # type: ignore[misc]
        assert len(host.received[stream]) > 1 << 20


# -- how streams end ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        (Legacy("127.0.0.1", 1), "refused"),
        (Legacy("10.0.0.1", 80), "not_allowed"),
        (Legacy("no-such-name.invalid", 80), "unreachable"),
        (AtHost(to_address(5), 80), "unreachable"),
        (AtNode(to_address(77)), "unreachable"),
    ],
)
def test_what_cannot_be_opened_says_why(to: Legacy | AtHost | AtNode, reason: str) -> None:
    with Node() as node:
        worker = node.attach(silent)

        worker.order(OpenStream(3, to))
        pump_until(lambda: bool(worker.closed), node, worker, within_s=30)

        assert worker.events == [StreamClosed(3, reason, 0, 0)]


def test_the_operator_sees_what_the_rules_refuse() -> None:
    with Node() as node:
        worker = node.attach(silent)

        worker.order(OpenStream(3, Legacy("10.0.0.1", 80)), OpenStream(5, Legacy("10.0.0.1", 80)))
        pump_until(lambda: len(worker.closed) == 2, node, worker)

        found = node.engine.statistics()["streams"]
        assert isinstance(found, dict)
        assert found["not_allowed"] == [("10.0.0.1", "10.0.0.1", 80, 2)]
        node.engine.set_internet(["127.0.0.1:1"])
        worker.order(OpenStream(7, Legacy("127.0.0.1", 2)))
        pump_until(lambda: len(worker.closed) == 3, node, worker)
        assert worker.closed[7].reason == "not_allowed"


def test_a_server_that_resets_resets_the_host() -> None:
    with Server(reset) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)

        stream = host.open(first=b"a")
        pump_until(lambda: len(worker.closed) == 2 and bool(host.resets), node, host, worker)

        assert host.resets == {stream: 1}
        assert {event.reason for event in worker.closed.values()} == {"reset"}


def test_a_host_that_resets_resets_the_server() -> None:
    errors: list[OSError] = []

    def read(connection: socket.socket) -> None:
        with connection:
            try:
                while connection.recv(100):
                    pass
            except OSError as error:
                errors.append(error)

    with Server(read) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)
        stream = host.open(first=b"a")
        pump_until(lambda: node.counts()["spliced_bytes"] == 1, node, host, worker)

        host.streams.reset(address(NODE), host.connection, stream, 0)
        pump_until(lambda: len(worker.closed) == 2 and bool(errors), node, host, worker)

        assert {event.reason for event in worker.closed.values()} == {"reset"}
        assert isinstance(errors[0], ConnectionResetError)


def test_a_worker_that_dies_takes_its_streams_along() -> None:
    with Server(echo) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)
        stream = host.open(first=b"a")
        pump_until(lambda: host.received[stream] == b"a", node, host, worker)

        worker.close()
        pump_until(lambda: bool(host.resets), node, host)

        assert host.resets == {stream: 7}
        assert node.counts()["open"] == 0
        again = node.attach(tunnel(server.port))
        other = host.open(first=b"b")
        pump_until(lambda: host.received[other] == b"b", node, host, again)


def test_a_connection_that_breaks_loses_its_streams() -> None:
    with Server(echo) as server, Node() as node:
        worker = node.attach(tunnel(server.port))
        host = node.connected(worker)
        stream = host.open(first=b"a")
        pump_until(lambda: host.received[stream] == b"a", node, host, worker)

        host.streams.close(0, address(NODE), host.connection)
        pump_until(lambda: len(worker.closed) == 2, node, host, worker)

        assert {event.reason for event in worker.closed.values()} == {"lost"}


def test_what_a_service_wrote_before_it_closes_arrives() -> None:
    with Node() as node:

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            if isinstance(event, StreamOpened):
                written = WriteStream(event.stream, b"no", is_end=True)
                return (written, CloseStream(event.stream))
            return ()

        worker = node.attach(answer)
        host = node.connected(worker)
        stream = host.open(first=bytes(100_000))
        pump_until(lambda: bool(worker.closed) and stream in host.resets, node, host, worker)
        del host.resets[stream]
        host.read()

        assert worker.closed[2].reason == "closed"
        assert host.received[stream] == b"no"


def test_a_read_and_an_opening_have_deadlines() -> None:
    def never(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            _ = connection.recv(1)

    with Server(never) as server, Node() as node:

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            if isinstance(event, StreamOpened):
                return (ReadStream(event.stream, idle_s=0.05),)
            return ()

        worker = node.attach(answer)
        worker.order(
            OpenStream(1, Legacy("127.0.0.1", server.port)),
            OpenStream(3, AtNode(to_address(OTHER_NODE)), 0.05),
        )
        pump_until(lambda: len(worker.closed) == 2, node, worker)

        assert {event.reason for event in worker.closed.values()} == {"deadline"}


def test_a_host_whose_key_is_not_known_is_refused() -> None:
    with Node() as node:
        node.known.clear()
        worker = node.attach(silent)
        host = node.host()
        pump_until(lambda: host.is_up, node, host, worker)

        host.connect()
        pump_until(lambda: host.lost is not None, node, host, worker)

        assert host.lost == "refused"


# -- nodes ----------------------------------------------------------------------------------------


def join(one: Node, other: Node) -> None:
    """Make two nodes peers."""
    for node, peer in [(one, other), (other, one)]:
        node.engine.add_peer(
            address(peer.number),
            public_key(key(peer.number)),
            kind="node",
            endpoint=peer.engine.endpoints[0],
        )


def test_streams_go_on_at_another_node_over_one_connection() -> None:
    with Server(echo) as server, Node() as node, Node(OTHER_NODE) as other:
        join(node, other)

        def answer(event: StreamEvent) -> Sequence[StreamEffect]:
            match event:
                case StreamOpened(stream=stream) if stream % 2 == 0:
                    return (OpenStream(stream | 1, AtNode(to_address(OTHER_NODE), b"on")),)
                case StreamOpened(stream=stream):
                    return (SpliceStreams(stream - 1, stream),)
                case _:
                    return ()

        worker, exit_worker = node.attach(answer), other.attach(tunnel(server.port))
        host = node.connected(worker)
        streams = [host.open(first=bytes([number]) * 1_000) for number in range(10)]
        parts = (node, other, host, worker, exit_worker)
        pump_until(lambda: all(len(host.received[one]) == 1_000 for one in streams), *parts)

        first = exit_worker.events[0]
        assert isinstance(first, StreamOpened)
        assert (first.peer, first.opening) == (to_address(NODE), b"on")
        assert other.counts()["connections"] == 1

        for stream in streams:
            host.write(stream, b"", is_end=True)
        pump_until(lambda: len(worker.closed) == len(exit_worker.closed) == 20, *parts)
        closed = [*worker.closed.values(), *exit_worker.closed.values()]
        assert {event.reason for event in closed} == {"ended"}


# -- bounds ---------------------------------------------------------------------------------------


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_ten_thousand_idle_streams_are_bounded() -> None:
    count, backlog = 10_000, 4_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1_000), hard))
    # The kernel accepts for servers that do not, up to their backlog.
    servers = [socket.create_server(("127.0.0.1", 0), backlog=backlog) for _ in range(3)]
    ports = [server.getsockname()[1] for server in servers]
    with Node(max_streams=count, max_streams_per_peer=count) as node:
        worker = node.attach(silent)
        before = resident_bytes()
        for start in range(0, count, 500):
            port = ports[start // backlog]
            worker.order(
                *(
                    OpenStream(2 * number + 1, Legacy("127.0.0.1", port), 60.0)
                    for number in range(start, start + 500)
                )
            )
            pump_until(lambda at=start + 500: len(worker.events) >= at, node, worker)  # type: ignore[misc]

        assert all(isinstance(event, StreamOpened) for event in worker.events)
        assert resident_bytes() - before < 100 << 20
        worker.order(OpenStream(2 * count + 1, Legacy("127.0.0.1", ports[2])))
        pump_until(lambda: bool(worker.closed), node, worker)
        assert worker.closed[2 * count + 1].reason == "too_many_streams"
    for server in servers:
        server.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_service_without_streams_has_one_socket_for_each_thread() -> None:
    engine = Engine(binds=["127.0.0.1:0"], address=address(NODE), private_key=key(NODE))
    engine.add_service(TUNNEL, streams=True)

    with pytest.raises(ValueError, match="0 sockets for 1 threads"):
        engine.attach_worker(TUNNEL, [])

    with pytest.raises(RuntimeError, match="start_streams was not called"):
        engine.set_internet([])
    with pytest.raises(ValueError, match="its ports are not"):
        engine.start_streams(bytes(32), internet=["0.0.0.0/0:x"])
    engine.start_streams(bytes(32))
    with pytest.raises(ValueError, match="0 sockets for 2 threads"):
        engine.attach_worker(TUNNEL, [])
    with pytest.raises(RuntimeError, match="start_streams was called before"):
        engine.start_streams(bytes(32))
