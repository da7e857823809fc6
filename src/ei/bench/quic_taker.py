"""A host that takes one stream after the other, in a process of its own.

`python -m ei.bench.quic_taker` is told a `TakeOrder` and then lines; for each it opens a stream and
answers with what arrived. With a pipe it is a host of the node; without, it speaks the same QUIC in
plain datagrams.
"""

import select
import socket
import struct
import sys
import time
from typing import Protocol

import msgspec

from ei._core import Datapath, Socket, Streams, monotonic_ns
from ei.bench.splicing_node import HOST, NODE, SERVICE
from ei.errors import LocalError
from ei.sdk.packets import Protection

NO_OPENING = b"\0\0"
CONNECTION = 7
READ_BYTES = 1 << 20
LIMIT_S = 60.0
BUFFER_BYTES = 8 << 20
TRAIN_BYTES = 65_535
TRAIN_PAYLOADS = 48
UDP_SEGMENT, UDP_GRO = 103, 104
"""linux/udp.h; Python has no names for them."""
SO_RCVBUFFORCE = 33


class TakeOrder(msgspec.Struct, frozen=True):
    """Where the streams come from.

    Attributes:
        endpoint: Of the node, or of the plain forwarder.
        has_pipe: It is the node.
    """

    endpoint: str
    has_pipe: bool


class Link(Protocol):
    """What payloads travel by."""

    def fileno(self) -> int:
        """Return what to wait for."""
        ...

    def receive(self, now_ns: int) -> list[bytes]:
        """Return the payloads that are there, after doing what is due."""
        ...

    def send(self, now_ns: int, payloads: list[bytes], connection: int) -> None:
        """Send payloads of one length, the last perhaps shorter."""
        ...


class PipeLink:
    """A pipe to the node, which is up."""

    def __init__(self, endpoint: str) -> None:
        self._datapath = Datapath(role="host", address=HOST.address, private_key=HOST.pipe_secret)
        self._socket = Socket("127.0.0.1:0")
        self._datapath.add_peer(NODE.address, NODE.pipe_key, kind="node", endpoint=endpoint)
        self._datapath.dial(monotonic_ns(), NODE.address)
        _ = self._socket.flush(self._datapath)
        is_up = False
        while not is_up:
            _ = select.select([self._socket.fileno()], [], [], 0.1)
            _ = self.receive(monotonic_ns())
            is_up = ("peer_up", NODE.address) in self._datapath.take_notices()

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._socket.fileno()

    def receive(self, now_ns: int) -> list[bytes]:
        """Return the payloads that are there."""
        _ = self._socket.receive(self._datapath, now_ns)
        self._datapath.poll(now_ns)
        _ = self._socket.flush(self._datapath)
        return [payload for *_, run in self._datapath.take_received() for payload in run]

    def send(self, now_ns: int, payloads: list[bytes], connection: int) -> None:
        """Send payloads."""
        _ = self._datapath.send(
            now_ns, NODE.address, SERVICE, connection, b"", payloads,
            protection=Protection.STREAMS,
        )  # fmt: skip
        _ = self._socket.flush(self._datapath)


class PlainLink:
    """A UDP socket with trains both ways, as those of `Socket` are.

    Args:
        endpoint: Of the other end.
        bind: Of this one, if that matters.
    """

    def __init__(self, endpoint: str, bind: str = "") -> None:
        host, _, port = endpoint.rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if bind:
            own, _, own_port = bind.rpartition(":")
            self._socket.bind((own, int(own_port)))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        self._socket.connect((host, int(port)))
        self._socket.setblocking(False)  # noqa: FBT003 its own interface

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._socket.fileno()

    def receive(self, now_ns: int) -> list[bytes]:
        """Return the payloads of the trains that are there."""
        del now_ns
        payloads: list[bytes] = []
        while True:
            try:
                train, told, _, _ = self._socket.recvmsg(TRAIN_BYTES, socket.CMSG_SPACE(4))
            except (BlockingIOError, ConnectionRefusedError):
                return payloads
            length = struct.unpack("i", told[0][2])[0] if told else len(train)
            payloads += [train[at : at + length] for at in range(0, len(train), length)]

    def send(self, now_ns: int, payloads: list[bytes], connection: int) -> None:
        """Send payloads."""
        del now_ns, connection
        for at in range(0, len(payloads), TRAIN_PAYLOADS):
            train = payloads[at : at + TRAIN_PAYLOADS]
            segment = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", len(train[0])))
            _ = self._socket.sendmsg(train, [segment] if len(train) > 1 else [])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def take_in(streams: Streams, link: Link, peer: bytes, connection: int) -> None:
    """Wait for a moment at most, and hand over what came of a connection and what is due."""
    due_ns = streams.next_deadline_ns()
    wait_ns = 100_000_000 if due_ns is None else max(due_ns - monotonic_ns(), 0)
    _ = select.select([link.fileno()], [], [], min(wait_ns / 1e9, 0.1))
    now_ns = monotonic_ns()
    payloads = link.receive(now_ns)
    if payloads:
        streams.handle_many(now_ns, peer, connection, payloads)
    streams.poll(now_ns)


def send_out(streams: Streams, link: Link) -> None:
    """Send what is to be sent now."""
    now_ns = monotonic_ns()
    for _, connection, train in streams.take_transmits(now_ns):
        link.send(now_ns, train, connection)


class Taker:
    """One connection over a link, opened with its first stream."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._streams = Streams(identity_key=HOST.identity_secret)
        self._state = "new"
        self._received = 0

    def take(self) -> int:
        """Open a stream and return how many bytes come to its end.

        Raises:
            LocalError: the connection broke, or it took too long.
        """
        if self._state == "new":
            self._streams.connect(monotonic_ns(), NODE.address, CONNECTION, NODE.identity_key)
            self._pump_until("connected")
        self._received = 0
        self._open()
        self._pump_until("finished")
        return self._received

    def idle(self) -> None:
        """Do what is due between two streams."""
        self._pump()

    def _open(self) -> None:
        place = (NODE.address, CONNECTION)
        stream = self._streams.open_stream(*place, is_bidirectional=True)
        if stream is None:
            raise LocalError("no stream is allowed")
        _ = self._streams.write(*place, stream, NO_OPENING)
        self._streams.finish(*place, stream)
        self._state = "open"

    def _pump_until(self, state: str) -> None:
        ends_s = time.monotonic() + LIMIT_S
        while self._state != state:
            if time.monotonic() > ends_s:
                raise LocalError(f"{self._state} after {LIMIT_S:g} s, {self._received:,} bytes")
            self._pump()

    def _pump(self) -> None:
        take_in(self._streams, self._link, NODE.address, CONNECTION)
        for event in self._streams.take_events():
            match event:
                case ("connected", _, _):
                    self._state = "connected"
                case ("readable", _, _, stream):
                    self._read(stream)
                case ("lost" | "stream_reset" as word, *_):
                    raise LocalError(f"{word}: {event[3:]}")
                case _:
                    pass
        send_out(self._streams, self._link)

    def _read(self, stream: int) -> None:
        piece = b"more"
        while piece and self._state == "open":
            piece, self._state, _ = self._streams.read(NODE.address, CONNECTION, stream, READ_BYTES)
            self._received += len(piece)


def main() -> int:
    """Take a stream for each line, until the standard input ends."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    order = msgspec.json.decode(sys.stdin.readline(), type=TakeOrder)
    taker = Taker((PipeLink if order.has_pipe else PlainLink)(order.endpoint))
    say({"ready": True})
    while True:
        while not select.select([sys.stdin], [], [], 0)[0]:
            taker.idle()
        if not sys.stdin.readline():
            return 0
        try:
            say({"received": taker.take()})
        except LocalError as error:
            say({"error": str(error)})
            return 1


if __name__ == "__main__":
    sys.exit(main())
