"""A node whose one service splices, in a process of its own.

`python -m ei.bench.splicing_node` says where it listens, reads `SpliceOrder`s, one JSON line each,
and answers each with what it took.
"""

import select
import socket
import sys
from collections.abc import Callable, Sequence

import msgspec

from ei._core import Engine, Streams, public_key
from ei.errors import LocalError
from ei.runtime.batches import Answer, EffectBatch, EventBatch, Outcome
from ei.runtime.worker import socket_pair
from ei.sdk import (
    Legacy,
    OpenStream,
    SpliceStreams,
    StreamClosed,
    StreamEffect,
    StreamEvent,
    StreamOpened,
)

SERVICE = 32
HERE = "127.0.0.1"
MESSAGE_BYTES = 1 << 20
STEP_S = 1.0
ENDS = 2

Answering = Callable[[StreamEvent], Sequence[StreamEffect]]


class Keys(msgspec.Struct, frozen=True):
    """Who somebody is: of one run, and known to all that take part."""

    address: bytes
    pipe_secret: bytes
    identity_secret: bytes

    @property
    def pipe_key(self) -> bytes:
        """Its public X25519 key."""
        return public_key(self.pipe_secret)

    @property
    def identity_key(self) -> bytes:
        """Its public Ed25519 key."""
        return Streams(identity_key=self.identity_secret).public_key


NODE, HOST = (
    Keys(
        b"\xfd\x35" + bytes(13) + bytes([number]), bytes([number, 1]) * 16, bytes([number, 2]) * 16
    )
    for number in (1, 2)
)


class SpliceOrder(msgspec.Struct, frozen=True):
    """What to splice.

    Attributes:
        giving: TCP port of a server.
        taking: TCP port of another one; 0 is the next stream of the host.
    """

    giving: int
    taking: int


class Spent(msgspec.Struct, frozen=True):
    """CPU time of a splice.

    Attributes:
        streams_ns: Of the thread of streams.
        datapath_ns: Of the threads that own the sockets of pipes.
    """

    streams_ns: int
    datapath_ns: int


class SplicingNode:
    """The node, and the worker of its service; both are closed with it."""

    def __init__(self) -> None:
        self._engine = Engine(
            binds=[f"{HERE}:0"], address=NODE.address, private_key=NODE.pipe_secret, spin_us=0
        )
        self._engine.add_peer(HOST.address, HOST.pipe_key, kind="host")
        self._engine.add_service(SERVICE, streams=True)
        self._engine.start_streams(NODE.identity_secret, internet=["127.0.0.0/8:*"])
        self._engine.start()
        pairs = [socket_pair() for _ in range(2)]
        self._ends = [ours for ours, _ in pairs]
        self._engine.attach_worker(SERVICE, [theirs.detach() for _, theirs in pairs])

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return self._engine.endpoints[0]

    def splice(self, order: SpliceOrder) -> Spent:
        """Splice until both ends have ended.

        Raises:
            LocalError: one of them broke.
        """
        before = self._look()
        if order.taking:
            targets = ((1, order.giving), (3, order.taking))
            self._send(0, [[OpenStream(stream, Legacy(HERE, port)) for stream, port in targets]])
        joining = _Joining(order)
        while len(joining.reasons) < ENDS:
            self._work(joining.answer)
        broken = [reason for reason in joining.reasons if reason != "ended"]
        if broken:
            raise LocalError(f"a stream was closed as {', '.join(broken)}, not as ended")
        after = self._look()
        return Spent(after.streams_ns - before.streams_ns, after.datapath_ns - before.datapath_ns)

    def close(self) -> None:
        """End its threads."""
        for end in self._ends:
            end.close()
        self._engine.stop()

    def _work(self, answer: Answering) -> None:
        descriptors = [*(end.fileno() for end in self._ends), self._engine.notice_fd()]
        ready, _, _ = select.select(descriptors, [], [], STEP_S)
        for end in self._ends:
            if end.fileno() in ready:
                batch = msgspec.msgpack.decode(end.recv(MESSAGE_BYTES), type=EventBatch)
                effects = [
                    answer(item) if isinstance(item, StreamEvent) else () for item in batch.items
                ]
                self._send(batch.sequence, effects, end=end)
        for notice in self._engine.take_notices():
            if notice[0] == "stream_key_wanted":
                self._engine.set_stream_peer(HOST.address, HOST.identity_key)

    def _send(
        self,
        sequence: int,
        effects: Sequence[Sequence[StreamEffect]],
        *,
        end: socket.socket | None = None,
    ) -> None:
        answers = tuple(Answer(Outcome.NONE, "", tuple(each)) for each in effects)
        message = msgspec.msgpack.encode(EffectBatch(sequence, 0, answers))
        _ = (end or self._ends[-1]).send(message)

    def _look(self) -> Spent:
        seen = msgspec.convert(self._engine.statistics(), _Statistics)
        return Spent(seen.streams.cpu_ns, sum(thread.cpu_ns for thread in seen.threads))


class _Joining:
    """What the service does about one order.

    Attributes:
        reasons: Why streams were closed.
    """

    def __init__(self, order: SpliceOrder) -> None:
        self._order = order
        self._opened: list[int] = []
        self.reasons: list[str] = []

    def answer(self, event: StreamEvent) -> Sequence[StreamEffect]:
        """Return what is to be done."""
        match event:
            case StreamOpened(stream=stream):
                self._opened.append(stream)
                if len(self._opened) == ENDS:
                    one, other = self._opened
                    return (SpliceStreams(one, other),)
                if not self._order.taking:
                    return (OpenStream(stream | 1, Legacy(HERE, self._order.giving)),)
            case StreamClosed(reason=reason):
                self.reasons.append(reason)
            case _:
                pass
        return ()


class _Thread(msgspec.Struct):
    """What is read of a thread."""

    cpu_ns: int


class _Statistics(msgspec.Struct):
    """What is read of an engine."""

    streams: _Thread
    threads: list[_Thread]


def main() -> int:
    """Splice what comes as orders, until the standard input ends."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    node = SplicingNode()
    say({"endpoint": node.endpoint})
    try:
        for line in sys.stdin:
            try:
                say(node.splice(msgspec.json.decode(line, type=SpliceOrder)))
            except LocalError as error:
                say({"error": str(error)})
    finally:
        node.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
