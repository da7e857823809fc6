"""Serves a registry's public folder by HTTP, as static files, and takes what is posted."""

import http
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from threading import BoundedSemaphore
from typing import Any

MAX_BODY_BYTES = 65_536
MAX_CONNECTIONS = 64
TIMEOUT_S = 10.0
CHUNK_BYTES = 65_536

Post = Callable[[bytes], tuple[int, bytes]]
"""Takes what was posted; returns status and answer."""


class Server(ThreadingHTTPServer):
    """Serves until it is shut down.

    Args:
        address: Where it listens.
        public: The folder whose files it serves; `None` for none.
        posts: Path to what takes what is posted there, 64 KiB at most.
        between: What is called twice a second or so, in the thread that serves.

    Raises:
        OSError: The address is taken, or not one of this machine.
    """

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self,
        address: tuple[str, int],
        public: Path | None,
        posts: Mapping[str, Post],
        *,
        between: Callable[[], None] | None = None,
    ) -> None:
        self.public = public
        self._between = between
        self.posts = posts
        self._free = BoundedSemaphore(MAX_CONNECTIONS)
        self.refused = 0
        self.failed = 0
        super().__init__(address, _Handler)

    def service_actions(self) -> None:
        """Do what is to be done between two requests."""
        if self._between is not None:
            self._between()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 as above
        """Answer in a thread of its own, or hang up when there are too many."""
        if not self._free.acquire(blocking=False):
            self.refused += 1
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer, and let the next one in."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401
        """Count it: mostly it is who hangs up in the middle."""
        self.failed += 1

    def statistics(self) -> Mapping[str, int]:
        """Return how many connections were refused, and how many failed."""
        return {"refused": self.refused, "failed": self.failed}


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] it has no other
    timeout = TIMEOUT_S
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        path = None if self.server.public is None else _inside(self.server.public, self.path)
        if path is None:
            self._answer(http.HTTPStatus.NOT_FOUND, b"")
            return
        with path.open("rb") as file:
            self._head(http.HTTPStatus.OK, path.stat().st_size)
            while piece := file.read(CHUNK_BYTES):
                _ = self.wfile.write(piece)

    def do_POST(self) -> None:
        take = self.server.posts.get(self.path)
        length = self.headers.get("Content-Length", "")
        if take is None:
            self._answer(http.HTTPStatus.NOT_FOUND, b"")
        elif not length.isdigit() or len(length) > len(str(MAX_BODY_BYTES)):
            self._answer(http.HTTPStatus.LENGTH_REQUIRED, b"")
        elif int(length) > MAX_BODY_BYTES:
            self._answer(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"")
        else:
            self._answer(*take(self.rfile.read(int(length))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name
        """Say nothing: daemons log by themselves."""

    def _answer(self, status: int, body: bytes) -> None:
        self._head(status, len(body))
        _ = self.wfile.write(body)

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _inside(folder: Path, name: str) -> Path | None:
    """Return a plain file below a folder."""
    parts = name.partition("?")[0].split("/")[1:]
    if any(part.startswith(".") or not part.isascii() or "%" in part for part in parts):
        return None
    path = folder.joinpath(*parts).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
