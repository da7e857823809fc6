"""Streams that are joined to TCP connections: bytes go from one to the other natively.

A connection belongs to its joint from `join` on. What becomes of it is an event of the stream:
`joined` when both directions have ended, `broke` when the connection did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ei._core import Streams
from ei.errors import StreamError

if TYPE_CHECKING:
    from ei.host.stream_ports import StreamKey


@dataclass(frozen=True, slots=True)
class Carried:
    """What a joint has carried.

    Attributes:
        there_bytes, back_bytes: From the stream to the connection, and back.
        moved_ns: When it last did; at first when it was made.
    """

    there_bytes: int
    back_bytes: int
    moved_ns: int


@dataclass(frozen=True, slots=True)
class Left:
    """A connection whose stream is lost, and what another one needs to take its place.

    Attributes:
        descriptor: Of the connection; it belongs to the caller.
        there_bytes, back_bytes: As of `Carried`.
        unsent: Came from the stream, and the connection has still to be given it.
        tail: The last that came from the connection.
    """

    descriptor: int
    there_bytes: int
    back_bytes: int
    unsent: bytes
    tail: bytes


class Joints:
    """All joints of one host; nothing is open before the first.

    Args:
        native: Returns the native endpoint.
    """

    def __init__(self, native: Callable[[], Streams]) -> None:
        self._native = native

    def join(self, now_ns: int, key: "StreamKey", descriptor: int, *, keep_bytes: int = 0) -> None:
        """Join a stream to a connection.

        Args:
            descriptor: Of the connection, given up by whoever had it.
            keep_bytes: Of the last that comes from it, for `leave`.

        Raises:
            StreamError: the system refuses.
        """
        try:
            self._native().join(now_ns, *key, descriptor, keep_bytes=keep_bytes)
        except OSError as error:
            text = f"the connection cannot be joined: {error.strerror or error}"
            raise StreamError(text, kind="lost") from error

    def fileno(self) -> int:
        """Return what becomes readable when `poll` has something to do; -1 before the first."""
        return self._native().joints_fileno()

    def poll(self, now_ns: int) -> None:
        """Carry what connections have, or take again."""
        self._native().poll_joints(now_ns)

    def carried(self, key: "StreamKey") -> Carried:
        """Return what a joint has carried.

        Raises:
            StreamError: there is none.
        """
        try:
            return Carried(*self._native().joint(*key))
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error

    def leave(self, key: "StreamKey") -> Left:
        """Take the connection back from a joint whose stream is lost.

        Raises:
            StreamError: there is none.
        """
        try:
            return Left(*self._native().leave(*key))
        except ConnectionError as error:
            raise StreamError(str(error), kind="lost") from error

    def part(self, key: "StreamKey", *, is_reset: bool) -> None:
        """Close the connection of a joint, so that it looks cut off if it is. Idempotent."""
        self._native().part(*key, is_reset=is_reset)
