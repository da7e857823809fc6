"""How streams begin, and those that have not yet said for which port they are. Pure.

    port u16 | what the application writes               to a host           little-endian
    length u16 | opening | what the application writes   to a service at a node

A stream to a host begins with its port. Until both bytes are there nobody can be asked whether he
wants it, so these are few, of each peer and in sum, and none may take long.
"""

from dataclasses import dataclass

from ei.errors import LocalError
from ei.sdk.packets import Address
from ei.sdk.streams import MAX_OPENING_BYTES

PORT_BYTES = 2
MOST_BESIDE = 48
"""Connections of this host with one other, of 256 streams each; both may have 64 in all."""
PORT_TIMEOUT_NS = 5_000_000_000
"""Time from the opening of a stream until its port must be there."""
MAX_UNROUTED = 1_024
"""Streams of all peers that have not said their port."""
MAX_UNROUTED_OF_PEER = 64

ConnectionKey = tuple[Address, int]
StreamKey = tuple[Address, int, int]


def encode_port(port: int) -> bytes:
    """Return what a stream to `port` begins with."""
    return port.to_bytes(PORT_BYTES, "little")


def encode_opening(opening: bytes) -> bytes:
    """Return what a stream to a service begins with: its own bytes, 0 to 1_024.

    Raises:
        LocalError: they are more.
    """
    if len(opening) > MAX_OPENING_BYTES:
        raise LocalError(f"an opening of {len(opening)} B; allowed are {MAX_OPENING_BYTES} B")
    return len(opening).to_bytes(2, "little") + opening


@dataclass(slots=True)
class _Beginning:
    until_ns: int
    known: bytes = b""


@dataclass(slots=True)
class Unsaid:
    """A stream of this host that found the window full: what is left of its beginning."""

    beginning: bytes
    is_finished: bool = False


class Unrouted:
    """The streams of one host that wait for their port."""

    def __init__(self) -> None:
        # The oldest first: all have the same time.
        self._streams: dict[StreamKey, _Beginning] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, key: StreamKey) -> bool:
        return key in self._streams

    def add(self, now_ns: int, key: StreamKey) -> bool:
        """Let a new stream wait; return whether there was room."""
        of_peer = sum(peer == key[0] for peer, _, _ in self._streams)
        if len(self._streams) >= MAX_UNROUTED or of_peer >= MAX_UNROUTED_OF_PEER:
            return False
        self._streams[key] = _Beginning(now_ns + PORT_TIMEOUT_NS)
        return True

    def missing(self, key: StreamKey) -> int:
        """Return how many bytes of the port are still to come."""
        return PORT_BYTES - len(self._streams[key].known)

    def take(self, key: StreamKey, piece: bytes) -> int | None:
        """Take at most the missing bytes; return the port once it is known."""
        beginning = self._streams[key]
        beginning.known += piece
        if self.missing(key):
            return None
        del self._streams[key]
        return int.from_bytes(beginning.known, "little")

    def remove(self, key: StreamKey) -> None:
        """Forget a stream."""
        del self._streams[key]

    def remove_connection(self, key: ConnectionKey) -> None:
        """Forget all streams of a connection."""
        for stream in [stream for stream in self._streams if stream[:2] == key]:
            del self._streams[stream]

    def take_due(self, now_ns: int) -> list[StreamKey]:
        """Forget the streams whose time is over, and return them."""
        due = [key for key, beginning in self._streams.items() if beginning.until_ns <= now_ns]
        for key in due:
            del self._streams[key]
        return due

    def next_deadline_ns(self) -> int | None:
        """Return when `take_due` has something next."""
        return next((beginning.until_ns for beginning in self._streams.values()), None)
