"""Admin verbs `send_file` and `receive_file`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from ei.daemons.messages import PROGRESS, Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import LocalError
from ei.host.client import Host
from ei.host.files import Progress, Transferred, receive_file, send_file

FILE_PORT = 3_536
PROGRESS_S = 0.1


class SendFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `send_file`. `deadline_s` is for each step without progress."""

    to: str
    path: str
    port: int = FILE_PORT
    deadline_s: float = 30.0


class ReceiveFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `receive_file`. `deadline_s` is for each step without progress."""

    path: str
    port: int = FILE_PORT
    deadline_s: float = 30.0


class File(msgspec.Struct, frozen=True):
    """A file that crossed. `peer` is the proven name of the other host."""

    peer: str
    path: str
    file_bytes: int
    sha256: str
    elapsed_s: float


class FileVerbs:
    """Verbs of one host."""

    def __init__(self, host: Host, now_ns: Callable[[], int]) -> None:
        self._host = host
        self._now_ns = now_ns

    async def send(self, request: Request) -> AsyncIterator[Answer]:
        """Send a file to a port of another host, with progress."""
        wanted = arguments_of(request, SendFile)
        path = _absolute(wanted.path)
        began_ns = self._now_ns()
        stream = await self._host.open_stream(wanted.to, wanted.port, deadline_s=wanted.deadline_s)
        async with stream:
            async for answer in self._transfer(
                self._host.records.name_of(stream.peer),
                path,
                began_ns,
                lambda progress: send_file(
                    stream, path, deadline_s=wanted.deadline_s, on_progress=progress
                ),
            ):
                yield answer

    async def receive(self, request: Request) -> AsyncIterator[Answer]:
        """Take one file from whoever sends one to the port, with progress."""
        wanted = arguments_of(request, ReceiveFile)
        path = _absolute(wanted.path)
        with self._host.accept_streams(wanted.port) as listener:
            stream = await listener.accept(deadline_s=wanted.deadline_s)
        began_ns = self._now_ns()
        async with stream:
            async for answer in self._transfer(
                self._host.records.name_of(stream.peer),
                path,
                began_ns,
                lambda progress: receive_file(
                    stream, path, deadline_s=wanted.deadline_s, on_progress=progress
                ),
            ):
                yield answer

    async def _transfer(
        self,
        peer: str,
        path: Path,
        began_ns: int,
        transfer: Callable[[Progress], Awaitable[Transferred]],
    ) -> AsyncIterator[Answer]:
        """Run a transfer; say where it stands ten times a second, then how it ended."""
        done, total = 0, 0

        def on_progress(now_done: int, now_total: int) -> None:
            nonlocal done, total
            done, total = now_done, now_total

        running = asyncio.ensure_future(transfer(on_progress))  # noqa: TID251 owned and awaited here
        try:
            while not running.done():
                _ = await asyncio.wait({running}, timeout=PROGRESS_S)
                if not running.done():
                    yield {"schema": PROGRESS, "done_bytes": done, "total_bytes": total}
            moved = running.result()
        finally:
            _ = running.cancel()
        elapsed_s = (self._now_ns() - began_ns) / 1e9
        file = File(peer, str(path), moved.file_bytes, moved.sha256, elapsed_s)
        yield to_answer(file, schema="ei.file/1")


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise LocalError(f"the path {text!r} is not absolute, and this daemon has its own folder")
    return path
