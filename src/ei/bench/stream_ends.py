"""Both ends of a file that goes over QUIC, each a process: by nodes, or by plain datagrams.

`python -m ei.bench.stream_ends give|take` is told an `EndOrder` and says that it is ready. For each
further line the giver sends its file, in a stream of its own, and says so once the other end has
all; the taker says what came, with its SHA-256.
"""

import hashlib
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ei._core import Streams, monotonic_ns
from ei.bench.quic_taker import Link, PlainLink, send_out, take_in
from ei.bench.world import DELIVERY
from ei.errors import LocalError
from ei.lab.bare_hosts import BareHost, HostOrder, open_pipes
from ei.sdk.packets import Protection

CONNECTION = 7
PIECE_BYTES = 1 << 20
LIMIT_S = 60.0
SECRETS = {"give": bytes([1, 2]) * 16, "take": bytes([2, 2]) * 16}
"""Of their identities, known to both."""


class EndOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Where an end is, and the other.

    Attributes:
        host: Of a node, or `None` for plain datagrams.
        peer: Address of the other host; any where there is no node.
        bind, endpoint: Of plain datagrams, its own and the other's.
        path: Of the file; the taker has none.
    """

    host: HostOrder | None = None
    peer: bytes = b"\xfd\x35" + bytes(13) + b"\1"
    bind: str = ""
    endpoint: str = ""
    path: str = ""


class NodeLink:
    """A pipe to a node, which delivers to the other host."""

    def __init__(self, order: HostOrder, peer: bytes) -> None:
        self._host = BareHost(order)
        self._peer = peer
        if not open_pipes([self._host]):
            raise LocalError(f"no pipe to {order.node_endpoint}")

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._host.socket.fileno()

    def receive(self, now_ns: int) -> list[bytes]:
        """Return the payloads that are there, after doing what is due."""
        del now_ns
        self._host.pump()
        return [payload for *_, run in self._host.datapath.take_received() for payload in run]

    def send(self, now_ns: int, payloads: list[bytes], connection: int) -> None:
        """Send payloads."""
        _ = self._host.datapath.send(
            now_ns, self._host.node, DELIVERY, connection, self._peer, payloads,
            protection=Protection.STREAMS,
        )  # fmt: skip
        _ = self._host.socket.flush(self._host.datapath)


class End:
    """One end, with its one connection. The giver opens it."""

    def __init__(self, link: Link, role: Literal["give", "take"], order: EndOrder) -> None:
        self._link = link
        self._peer = order.peer
        self._streams = Streams(identity_key=SECRETS[role])
        other = SECRETS["take" if role == "give" else "give"]
        self._peer_key = Streams(identity_key=other).public_key
        self._words: list[str] = []
        self._path = Path(order.path)
        self._digest = hashlib.sha256()
        self._received = 0

    def give(self) -> dict[str, object]:
        """Send the file, and return when the other end has all of it, and how long that took."""
        if not self._words:
            self._streams.connect(monotonic_ns(), self._peer, CONNECTION, self._peer_key)
            self._pump_until("connected")
        stream = self._streams.open_stream(self._peer, CONNECTION, is_bidirectional=False)
        if stream is None:
            raise LocalError("no stream is allowed")
        began_s = time.monotonic()
        with self._path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                at = 0
                while at < len(piece):
                    at += self._streams.write(self._peer, CONNECTION, stream, piece, at)
                    if at < len(piece):
                        self._pump_until("writable")
        self._streams.finish(self._peer, CONNECTION, stream)
        self._pump_until("stream_finished")
        return {"given": self._path.stat().st_size, "seconds": time.monotonic() - began_s}

    def take(self) -> dict[str, object]:
        """Return what came in a stream, which may have begun before."""
        self._pump_until("taken")
        came: dict[str, object] = {
            "received": self._received, "sha256": self._digest.hexdigest()
        }  # fmt: skip
        self._digest, self._received = hashlib.sha256(), 0
        return came

    def pump(self) -> None:
        """Wait for a moment at most, and do what is to be done."""
        take_in(self._streams, self._link, self._peer, CONNECTION)
        for event in self._streams.take_events():
            match event:
                case ("key_wanted", _, _):
                    self._streams.accept(monotonic_ns(), self._peer, CONNECTION, self._peer_key)
                case ("readable", _, _, stream):
                    self._read(stream)
                case ("lost" | "stream_reset" as word, *_):
                    raise LocalError(f"{word}: {event[3:]}")
                case (word, *_):
                    self._words.append(word)
        send_out(self._streams, self._link)

    def _pump_until(self, word: str) -> None:
        ends_s = time.monotonic() + LIMIT_S
        while word not in self._words:
            if time.monotonic() > ends_s:
                raise LocalError(f"not {word} after {LIMIT_S:g} s, {self._received:,} bytes")
            self.pump()
        self._words = [other for other in self._words if other != word] or ["open"]

    def _read(self, stream: int) -> None:
        piece, state = b"more", "open"
        while piece and state == "open":
            piece, state, _ = self._streams.read(self._peer, CONNECTION, stream, PIECE_BYTES)
            self._digest.update(piece)
            self._received += len(piece)
        if state == "finished":
            self._words.append("taken")


def main(arguments: Sequence[str]) -> int:
    """Be one end, until the standard input ends."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    role: Literal["give", "take"] = "give" if list(arguments) == ["give"] else "take"
    order = msgspec.json.decode(sys.stdin.readline(), type=EndOrder)
    link: Link = (
        PlainLink(order.endpoint, order.bind)
        if order.host is None
        else NodeLink(order.host, order.peer)
    )
    end = End(link, role, order)
    do: Callable[[], dict[str, object]] = end.give if role == "give" else end.take
    say({"ready": True})
    try:
        while True:
            while not select.select([sys.stdin], [], [], 0)[0]:
                end.pump()
            if not sys.stdin.readline():
                return 0
            say(do())
    except LocalError as error:
        say({"error": str(error)})
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
