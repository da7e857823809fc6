"""Demo: a real file goes from a host of one domain to a host of another, over a stream."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from ei import _core
from ei.errors import ConfigError, DeadlineError, StreamError
from ei.host.verbs_files import File
from ei.lab.demo_context import LISTENERS, SPEAKER, Demo
from ei.lab.promises import promise
from ei.lab.report import Transfer

TRANSFER_LIMIT_S = 60.0
TRIES = 50


async def send_a_file(demo: Demo, path: Path) -> None:
    """A file goes from a host of one domain to a host of another."""
    source, destination = SPEAKER, LISTENERS[1]
    size, sha256 = await asyncio.to_thread(_digest, path)
    demo.step(f"{source} sends {path.name} ({size / 1e6:.1f} MB) to {destination} over a stream")
    arrived = demo.folder.parent / destination / "received"

    def on_progress(answer: Mapping[str, object]) -> None:
        demo.narrator.progress(f"{answer['done_bytes']:,} of {answer['total_bytes']:,} B")

    async with asyncio.TaskGroup() as group:
        receiving = group.create_task(
            demo.ask(
                destination,
                "receive_file",
                File,
                {"path": str(arrived)},
                deadline_s=TRANSFER_LIMIT_S,
            )
        )
        sending = group.create_task(_send_when_open(demo, source, destination, path, on_progress))
    taken_s = sending.result().elapsed_s
    _, received_sha256 = await asyncio.to_thread(_digest, arrived)
    demo.transfer = Transfer(path.name, size, taken_s, received_sha256, source, destination)
    demo.done(
        f"{receiving.result().file_bytes:,} B in {taken_s:.2f} s "
        f"({size * 8 / taken_s / 1e6:.0f} Mb/s), SHA-256 {received_sha256[:16]}..."
    )
    demo.add(promise("the file arrives as it was", received_sha256, "==", sha256, unit="SHA-256"))


def find_file() -> Path:
    """Return a file that is surely there, of some megabytes: our own native module."""
    return Path(str(_core.__file__))


def check_readable(path: Path) -> None:
    """Refuse a file that could not be sent, before anything is started.

    Raises:
        ConfigError: it cannot be read.
    """
    _ = _digest(path)


def _digest(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


async def _send_when_open(
    demo: Demo,
    source: str,
    destination: str,
    path: Path,
    on_progress: Callable[[Mapping[str, object]], object],
) -> File:
    """Send, as soon as the receiver listens."""
    for _ in range(TRIES):
        try:
            return await demo.ask(
                source,
                "send_file",
                File,
                {"to": destination, "path": str(path)},
                deadline_s=TRANSFER_LIMIT_S,
                on_progress=on_progress,
            )
        except StreamError as error:
            if error.kind != "refused":
                raise
            await asyncio.sleep(0.02)
    raise DeadlineError(f"{destination} does not accept the file")
