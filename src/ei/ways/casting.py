"""A file to a group: cut into blocks, each a message that is sent again to who lacks it.

    message 0     what the file is: its name, length, SHA-256, and the length of a block
    message n     block n - 1

Whoever joins late asks for what was before, down to message 0. Nodes have the last of it, and the
sender all of it, for as long as it runs.
"""

import asyncio
import hashlib
import os
from math import inf
from pathlib import Path
from typing import BinaryIO

import msgspec

from ei.errors import ConflictError, IntegrityError, LimitError, LocalError
from ei.host.client import Host
from ei.host.deadlines import within
from ei.sdk import Address
from ei.services.multicast.client import Receiver, receive, send

BLOCK_BYTES = 1_200
MAX_FILE_BYTES = 2**32
MAX_NAME_BYTES = 255
PIPE_FULL_S = 0.002
BURST_S = 0.005
LOOK_S = 0.1
DAY_S = 86_400.0
MAX_EARLY = 65_536
"""Blocks that may come before the announcement; of more, some have to be sent again."""


class Announced(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a file is.

    Attributes:
        digest: SHA-256 of all of it.
    """

    name: str
    file_bytes: int
    digest: bytes
    block_bytes: int

    @property
    def blocks(self) -> int:
        """How many messages follow."""
        return -(-self.file_bytes // self.block_bytes)


class Cast(msgspec.Struct, frozen=True):
    """A file that was sent or received.

    Attributes:
        repaired: Messages that were sent again to, or by, this host.
    """

    name: str
    file_bytes: int
    digest: str
    repaired: int
    elapsed_s: float


def announce(path: Path, file: BinaryIO) -> Announced:
    """Return what a file is.

    Raises:
        LimitError: it is too large.
    """
    file_bytes = file.seek(0, os.SEEK_END)
    if file_bytes > MAX_FILE_BYTES:
        raise LimitError(f"{path} has {file_bytes} B; allowed are {MAX_FILE_BYTES} B")
    return Announced(path.name, file_bytes, _digest_of(file), BLOCK_BYTES)


def read_announced(data: bytes) -> Announced:
    """Return what message 0 says.

    Raises:
        IntegrityError: it is none, or says what no sender means.
    """
    try:
        said = msgspec.msgpack.decode(data, type=Announced)
    except msgspec.MsgspecError as error:
        raise IntegrityError(f"no file is announced: {error}") from error
    is_name = 1 <= len(said.name.encode()) <= MAX_NAME_BYTES and Path(said.name).name == said.name
    is_size = 0 <= said.file_bytes <= MAX_FILE_BYTES and 1 <= said.block_bytes <= BLOCK_BYTES
    if not is_name or not is_size or said.name in (".", "..") or len(said.digest) != 32:  # noqa: PLR2004 SHA-256
        raise IntegrityError(f"a file is announced as {said!r:.200}")
    return said


class Blocks:
    """The messages of a file that is sent, by number."""

    def __init__(self, announced: Announced, file: BinaryIO) -> None:
        self._announced = announced
        self._file = file

    def find(self, number: int) -> bytes | None:
        """Return the data of a message; `None` past the end."""
        if number == 0:
            return msgspec.msgpack.encode(self._announced)
        if number > self._announced.blocks:
            return None
        _ = self._file.seek((number - 1) * self._announced.block_bytes)
        return self._file.read(self._announced.block_bytes)


async def send_file(
    host: Host, group: str, path: Path, *, rate_bytes_per_s: float, linger_s: float
) -> Cast:
    """Send a file to a group at a steady rate; return when nobody has asked for a while.

    Args:
        linger_s: How long nobody asks for anything before it ends.

    Raises:
        LimitError: the file is too large.
        LocalError: it cannot be read.
        NotFoundError: no record of the group.
    """
    loop = asyncio.get_running_loop()
    with _opened(path) as file:
        announced = announce(path, file)
        blocks = Blocks(announced, file)
        async with send(host, group, find=blocks.find) as sender:
            began_s = loop.time()
            for number in range(announced.blocks + 1):
                due_s = began_s + number * announced.block_bytes / rate_bytes_per_s
                if (early_s := due_s - loop.time()) > BURST_S:
                    await asyncio.sleep(early_s)
                while not sender.send(blocks.find(number) or b""):  # noqa: ASYNC110 a pipe tells nobody
                    await asyncio.sleep(PIPE_FULL_S)
            repeated, quiet_s = -1, loop.time()
            while (left_s := quiet_s + linger_s - loop.time()) > 0:
                if sender.repeated != repeated:
                    repeated, quiet_s = sender.repeated, loop.time()
                await asyncio.sleep(min(LOOK_S, left_s))
            elapsed_s = loop.time() - began_s
    return Cast(
        announced.name, announced.file_bytes, announced.digest.hex(), sender.repeated, elapsed_s
    )


async def receive_file(host: Host, group: str, folder: Path, *, deadline_s: float) -> Cast:
    """Receive the next file that is sent to a group into a folder.

    Raises:
        ConflictError: the folder has a file of that name.
        DeadlineError: not all of it came in time.
        IntegrityError: what came is not what was announced.
        NotFoundError: no record of the group.
    """
    async with (
        within(deadline_s, f"whole file sent to {group}"),
        receive(host, group, is_from_start=True, patience_s=inf) as receiver,
    ):
        return await Incoming(receiver, folder).take()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error


class Incoming:
    """A file on its way here: blocks in any order, in the place of their own in a file beside."""

    def __init__(self, receiver: Receiver, folder: Path) -> None:
        self._receiver = receiver
        self._folder = folder

    async def take(self) -> Cast:
        """Return the file, once all of it is here; see `receive_file`."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        early: dict[int, bytes] = {}
        stream, announced = await self._announced(early)
        path = self._folder / announced.name
        if path.exists():
            raise ConflictError(
                f"{path} exists already", remedy="Move it away, or receive into another folder."
            )
        part = path.with_name(f".{path.name}.part")
        with part.open("w+b") as file:
            missing = set(range(1, announced.blocks + 1))
            for number, data in early.items():
                _write(file, announced, number, data, missing)
            while missing:
                message = await self._receiver.receive(deadline_s=DAY_S)
                if (message.source, message.connection) == stream:
                    _write(file, announced, message.number, message.data, missing)
            digest = _digest_of(file)
        if digest != announced.digest:
            part.unlink()
            raise IntegrityError(f"{path.name} is not what was announced: its SHA-256 differs")
        _ = part.rename(path)
        gaps = self._receiver.streams[stream]
        return Cast(
            announced.name,
            announced.file_bytes,
            digest.hex(),
            gaps.repaired,
            loop.time() - began_s,
        )

    async def _announced(self, early: dict[int, bytes]) -> tuple[tuple[Address, int], Announced]:
        """Return the first stream that is announced; keep what came of it before."""
        waiting: dict[tuple[Address, int], dict[int, bytes]] = {}
        held = 0
        while True:
            message = await self._receiver.receive(deadline_s=DAY_S)
            stream = (message.source, message.connection)
            if message.number == 0:
                announced = read_announced(message.data)
                early.update(waiting.get(stream, {}))
                return stream, announced
            if held < MAX_EARLY:
                held += 1
                waiting.setdefault(stream, {})[message.number] = message.data


def _digest_of(file: BinaryIO) -> bytes:
    _ = file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(2**16):
        digest.update(piece)
    return digest.digest()


def _write(
    file: BinaryIO, announced: Announced, number: int, data: bytes, missing: set[int]
) -> None:
    """Write a block that is missing to its place; what is none is ignored."""
    start = (number - 1) * announced.block_bytes
    if number in missing and len(data) == min(announced.block_bytes, announced.file_bytes - start):
        _ = file.seek(start)
        _ = file.write(data)
        missing.remove(number)
