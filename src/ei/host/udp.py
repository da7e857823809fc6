"""The transport of a real host: one UDP socket on the running asyncio loop."""

import asyncio
import time
from collections.abc import Callable

from ei._core import Datapath, Socket, monotonic_ns
from ei.daemons.binding import bind_error
from ei.errors import ConfigError


class SocketTransport:
    """A UDP socket with batched receive and send.

    Args:
        bind: Endpoint; port 0 takes any.

    Raises:
        ConflictError: another program has the port.
        DeniedError: this user may not have it.
        ConfigError: the address is not of this machine, or no endpoint at all.
    """

    def __init__(self, bind: str) -> None:
        self._socket = open_socket(bind)
        self._loop: asyncio.AbstractEventLoop | None = None

    def now_ns(self) -> int:
        """Monotonic time: the same clock as asyncio's."""
        return monotonic_ns()

    def unix_offset_ns(self) -> int:
        """Wall clock minus monotonic time."""
        return time.time_ns() - monotonic_ns()

    @property
    def endpoint(self) -> str:
        """Where it receives."""
        return self._socket.endpoint

    @property
    def overflows(self) -> int:
        """Datagrams that found the kernel's buffer full."""
        return self._socket.overflows

    def open(self, datapath: Datapath, on_received: Callable[[], None]) -> None:
        """Call `on_received` whenever datagrams wait."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), on_received)

    def receive(self, datapath: Datapath, now_ns: int) -> int:
        """Hand at most 256 datagrams to `datapath`."""
        return self._socket.receive(datapath, now_ns)

    def flush(self, datapath: Datapath) -> int:
        """Send all that `datapath` wants to send."""
        return self._socket.flush(datapath)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._loop is not None and self._socket.fileno() >= 0:
            _ = self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._socket.close()


def open_socket(bind: str) -> Socket:
    """Bind a UDP socket; see `SocketTransport` for what is raised."""
    try:
        return Socket(bind)
    except OSError as error:
        raise bind_error(bind, error) from error
    except ValueError as error:
        raise ConfigError(f"bind: {error}", remedy='Such as bind = "0.0.0.0:0"') from error
