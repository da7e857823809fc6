"""What carries a host's datagrams: a UDP socket, or the simulated underlay of a lab."""

from collections.abc import Callable
from typing import Protocol

from ei._core import Datapath


class Transport(Protocol):
    """Underlay and clock of one host. Only its owner, a `Host`, calls it."""

    def now_ns(self) -> int:
        """Monotonic time, the same as the running loop's `time()`."""
        ...

    def unix_offset_ns(self) -> int:
        """Wall clock minus monotonic time."""
        ...

    @property
    def endpoint(self) -> str:
        """Where it receives."""
        ...

    @property
    def overflows(self) -> int:
        """Datagrams that were lost because too many waited to be received."""
        ...

    def open(self, datapath: Datapath, on_received: Callable[[], None]) -> None:
        """From now on, call `on_received` whenever datagrams wait, or were handed over already."""
        ...

    def receive(self, datapath: Datapath, now_ns: int) -> int:
        """Hand what waits to `datapath`, at most 256 datagrams; return how many."""
        ...

    def flush(self, datapath: Datapath) -> int:
        """Send all that `datapath` wants to send; return how many datagrams."""
        ...

    def close(self) -> None:
        """Give everything back. Idempotent."""
        ...
