"""The other end of a stream, as a script plays it.

alice = play.open_stream("alice", b"what for")
server = play.far_end(alice.stream | 1)        # that the service asked for
server.accept()
server.write(b"hello", is_end=True)
assert alice.read() == b"hello"
"""

from collections.abc import Callable
from math import inf

from ei.sdk import Address, Effect, StreamTarget
from ei.testing.stream_model import WINDOW_BYTES, StreamModel, StreamsModel

Settle = Callable[[], tuple[Effect, ...]]


class FarEnd:
    """One stream, from the other side.

    What it does is told to the service as soon as that wants to know. Each method that makes
    something happen returns the effects with which the service answers.

    Attributes:
        effects: With which the service answered when it was opened from here.
    """

    def __init__(
        self,
        model: StreamsModel,
        stream: StreamModel,
        *,
        node: Address,
        settle: Settle,
        effects: tuple[Effect, ...] = (),
    ) -> None:
        """Stand at one end; made by a `Playbook`.

        Args:
            model: All streams of the service.
            stream: This one.
            node: Of the service.
            settle: Tells the service what there is to tell, and returns what it asks for.
            effects: That its opening was answered with.
        """
        self.effects = effects
        self._model = model
        self._stream = stream
        self._node = node
        self._settle = settle

    def __repr__(self) -> str:
        return f"<FarEnd {self._stream}>"

    @property
    def stream(self) -> int:
        """Its number."""
        return self._stream.stream

    @property
    def to(self) -> StreamTarget | None:
        """Where the service opened it to; `None` when it was opened from here."""
        return self._stream.to

    @property
    def closed(self) -> str:
        """The reason of its end; empty while it has none."""
        return self._stream.closed

    @property
    def is_ended(self) -> bool:
        """Whether all was read, and the service writes no more."""
        return self._stream.is_near_ended and not self._stream.outbound

    def accept(
        self, peer: Address | None = None, *, window: int = WINDOW_BYTES
    ) -> tuple[Effect, ...]:
        """Let it be open.

        Args:
            peer: Who is here; by default the node, as for the legacy Internet.
            window: Bytes that the service may write.
        """
        self._model.accept(self._stream, self._node if peer is None else peer, window=window)
        return self._settle()

    def refuse(self, reason: str = "refused") -> tuple[Effect, ...]:
        """Let it not be open."""
        self._model.close(self._stream, reason)
        return self._settle()

    def reset(self) -> tuple[Effect, ...]:
        """Break it in the middle."""
        return self.refuse("reset")

    def write(self, data: bytes, *, is_end: bool = False) -> tuple[Effect, ...]:
        """Send bytes; the service has them when it asks."""
        stream = self._stream
        assert not stream.is_far_ended, f"stream {stream.stream} was ended from here"  # noqa: S101
        stream.inbound += data
        stream.is_far_ended = is_end
        for each in (stream, stream.partner):
            if each is not None and each.deadline_s < inf:
                each.deadline_s = self._model.now_s + each.idle_s
        return self._settle()

    def end(self) -> tuple[Effect, ...]:
        """Send no more."""
        return self.write(b"", is_end=True)

    def read(self, limit: int | None = None) -> bytes:
        """Take what came, at most `limit` bytes; that makes room for more."""
        outbound = self._stream.outbound
        data = bytes(outbound[:limit])
        del outbound[: len(data)]
        _ = self._settle()
        return data
