"""Files over streams: the length as u64 little-endian, the bytes, the end of the stream."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from ei.errors import LimitError, LocalError, StreamError
from ei.host.streams import READ_BYTES, Stream

LENGTH_BYTES = 8
MAX_FILE_BYTES = 2**40

Progress = Callable[[int, int], None]
"""Takes the bytes done and the bytes there are."""


class Transferred(msgspec.Struct, frozen=True):
    """One file that crossed; `sha256` over its bytes, in hexadecimal digits."""

    file_bytes: int
    sha256: str


async def send_file(
    stream: Stream, path: Path, *, deadline_s: float, on_progress: Progress
) -> Transferred:
    """Send a file; return when the peer's stack has acknowledged every byte.

    Args:
        deadline_s: Longest wait for any one step.

    Raises:
        LocalError: no such file, or it changed its length meanwhile.
        StreamError, DeadlineError: as the stream.
    """
    digest = hashlib.sha256()
    done = 0
    with _open(path, "rb") as file:
        length = os.fstat(file.fileno()).st_size
        await stream.write(length.to_bytes(LENGTH_BYTES, "little"), deadline_s=deadline_s)
        # A piece of a local file takes less time than a hand-over to a thread and back.
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            await stream.write(piece, deadline_s=deadline_s)
            done += len(piece)
            on_progress(done, length)
    if done != length:
        stream.abort()
        raise LocalError(f"{path} changed while it was sent: {length} B became {done} B")
    await stream.finish(deadline_s=deadline_s)
    return Transferred(length, digest.hexdigest())


async def receive_file(
    stream: Stream, path: Path, *, deadline_s: float, on_progress: Progress
) -> Transferred:
    """Receive a file to `path`, which is replaced only by a whole one.

    Raises:
        LimitError: the peer announces more than 2^40 bytes, or the disk is full.
        StreamError: the stream ended early, or late.
        DeadlineError: nothing came for `deadline_s`.
    """
    header = await stream.read_exactly(LENGTH_BYTES, deadline_s=deadline_s)
    length = int.from_bytes(header, "little")
    if length > MAX_FILE_BYTES:
        stream.abort()
        raise LimitError(f"a file of {length} B is announced; allowed are {MAX_FILE_BYTES} B")
    part = path.with_name(f".{path.name}.part")
    digest = hashlib.sha256()
    done = 0
    try:
        with _open(part, "wb") as file:
            while piece := await stream.read(deadline_s=deadline_s):
                digest.update(piece)
                _ = file.write(piece)
                done += len(piece)
                on_progress(done, length)
        if done != length:
            raise StreamError(f"the file ended after {done} of {length} B", kind="ended")
        _ = part.replace(path)
    except OSError as error:
        stream.abort()
        raise LimitError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    await stream.finish(deadline_s=deadline_s)
    return Transferred(length, digest.hexdigest())


def _open(path: Path, mode: str) -> BinaryIO:
    try:
        return path.open(mode)  # type: ignore[return-value]
    except OSError as error:
        raise LocalError(f"cannot open {path}: {error.strerror}") from error
