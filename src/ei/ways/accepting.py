"""TCP connections of programs, each served by a task of its own."""

import asyncio
import errno
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from ei.daemons.binding import bind_error
from ei.daemons.log import Log
from ei.records.endpoints import parse_endpoint
from ei.ways.ends import TcpEnd

MOST_AT_ONCE = 64
"""Accepted before the rest of the program gets its turn."""
TIRED_S = 0.1
"""Pause when the system has no descriptor left."""
TIRED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Serve = Callable[[TcpEnd], Coroutine[Any, Any, None]]


def listen(endpoint: str, serve: Serve, *, what: str, log: Log) -> "Listener":
    """Accept connections at an endpoint, and say so.

    Args:
        endpoint: Such as `127.0.0.1:8118`; port 0 takes any.
        serve: As of `Listener`.
        what: Who listens, for the log.

    Raises:
        EiError: the endpoint cannot be had: why, and what to do.
    """
    address, port = parse_endpoint(endpoint)
    try:
        listener = Listener(str(address), port, serve)
    except OSError as error:
        raise bind_error(endpoint, error, protocol="TCP") from error
    log.info(f"{what} listens", at=listener.endpoint)
    if not address.is_loopback:
        log.warn(f"{what} is open to others", at=listener.endpoint)
    return listener


class Listener:
    """Accepts connections until it is closed; those that are open stay.

    Args:
        address: Of this machine.
        port: 0 takes any.
        serve: Serves one connection, and lets go of it.

    Raises:
        OSError: the place cannot be had.
    """

    def __init__(self, address: str, port: int, serve: Serve) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, port), family=family, backlog=1_024)
        self._socket.setblocking(False)  # noqa: FBT003 its own name
        self._serve = serve
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self.endpoint = self._endpoint()
        self._watch()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Accept no more. Idempotent."""
        if self._socket.fileno() >= 0:
            _ = self._loop.remove_reader(self._socket.fileno())
        if self._pause is not None:
            self._pause.cancel()
        self._socket.close()

    def _endpoint(self) -> str:
        address, port = self._socket.getsockname()[:2]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def _watch(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in TIRED:
                    _ = self._loop.remove_reader(self._socket.fileno())
                    self._pause = self._loop.call_later(TIRED_S, self._watch)
                    return
                continue  # it was gone before it was accepted
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._serve(TcpEnd(connection)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
