"""Reads files of a registry: from a folder, or by HTTP from where its public part is served."""

import http.client
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from urllib.parse import quote, urlsplit

from ei.errors import ConfigError, NotFoundError, UnreachableError
from ei.registry.following import Fetch

TIMEOUT_S = 10.0
SLOWEST_BYTES_PER_S = 1_000_000
CHUNK_BYTES = 65_536
SCHEMES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


def fetch_from(place: str) -> Fetch:
    """Return what reads files of a registry.

    Args:
        place: Its folder, the public part of that, or an address such as `http://[::1]:8135`.

    Raises:
        ConfigError: It is neither.
    """
    if "://" in place:
        parts = urlsplit(place)
        if parts.scheme not in SCHEMES or not parts.hostname or not _has_port(place):
            raise ConfigError(f"{place!r} is no address as http://HOST:PORT, and no folder")
        return lambda name, limit: _get(place.rstrip("/"), name, limit)
    folder = Path(place)
    if not folder.is_dir():
        raise ConfigError(f"{place!r} is no folder, and no address as http://HOST:PORT")
    if (folder / "public").is_dir():
        folder /= "public"
    return lambda name, limit: _read(folder / name, limit)


def _has_port(place: str) -> bool:
    """Whether an address has a port that there can be, or none."""
    try:
        _ = urlsplit(place).port
    except ValueError:
        return False
    return True


def post(place: str, name: str, body: bytes, *, limit: int = CHUNK_BYTES) -> tuple[int, bytes]:
    """Send something to who serves a registry, or to a witness; return status and answer.

    Raises:
        UnreachableError: Nobody answers in time.
    """
    return _ask(place.rstrip("/"), "POST", name, body, limit)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFoundError(f"the registry has no {path}") from error
    except OSError as error:
        raise UnreachableError(f"{path} cannot be read: {error.strerror}") from error


def _get(place: str, name: str, limit: int) -> bytes:
    status, body = _ask(place, "GET", name, None, limit)
    if status in {http.client.NOT_FOUND, http.client.FORBIDDEN}:
        raise NotFoundError(f"the registry {place} has no {name}")
    if status != http.client.OK:
        raise UnreachableError(f"{place}/{name}: the server answers {status}")
    return body


def _ask(place: str, method: str, name: str, body: bytes | None, limit: int) -> tuple[int, bytes]:
    parts = urlsplit(place)
    limit_s = TIMEOUT_S + limit / SLOWEST_BYTES_PER_S
    connection = SCHEMES[parts.scheme](parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.connect()
        until_s = time.monotonic() + limit_s
        with _hung_up_after(limit_s, connection.sock):
            connection.request(method, f"{parts.path}/{quote(name)}", body)
            response = connection.getresponse()
            content = b""
            while len(content) <= limit and (piece := response.read1(CHUNK_BYTES)):
                content += piece
        if time.monotonic() >= until_s:
            raise UnreachableError(f"{place}/{name}: too slow, {len(content)} B came")
        return response.status, content[: limit + 1]
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{place}: {error!r}") from error
    finally:
        connection.close()


@contextmanager
def _hung_up_after(limit_s: float, sock: socket.socket) -> Generator[None]:
    """End what is read from a socket after a time, also of who sends a byte now and then."""

    def hang_up() -> None:
        with suppress(OSError):  # it has ended
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which says goodbye first

    timer = Timer(limit_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
