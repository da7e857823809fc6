"""Servers that are not ours, each in a session of its own, while the scenario needs them."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from ei.errors import LocalError
from ei.lab.census import MARK
from ei.lab.process_lab import ProcessLab
from ei.lab.run_folder import RunFolder
from ei.scenarios.caching.origin import HERE

START_LIMIT_S = 15.0
EVERY_S = 0.02
END_LIMIT_S = 10.0
COMPLAINT_BYTES = 400


def environ_of(lab: ProcessLab) -> Mapping[str, str]:
    """Return the environment of programs that go down with the lab, also if this one is killed."""
    folder = lab.folder(next(iter(lab.topology.nodes))).parent
    environ = {key: value for key, value in os.environ.items() if not key.endswith("_proxy")}
    return {**environ, MARK: RunFolder(folder).read().run_id}


@asynccontextmanager
async def running(
    *words: str, port: int, folder: Path, environ: Mapping[str, str], limit_s: float = START_LIMIT_S
) -> AsyncGenerator[int]:
    """Run a server, from when it listens until the block ends; yield its process id.

    Args:
        folder: Where it runs, and where what it says is kept.
        limit_s: Until then it listens.

    Raises:
        LocalError: it does not.
    """
    log = folder / f"{Path(words[0]).name}.log"
    with _opened(log) as file:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environ,
            start_new_session=True,
        )
    try:
        try:
            async with asyncio.timeout(limit_s):
                while not await is_listening(port):  # noqa: ASYNC110 nobody tells when it does
                    await asyncio.sleep(EVERY_S)
        except TimeoutError as error:
            text = f"{words[0]} does not listen after {limit_s:g} s: {_end_of(log)!r}"
            raise LocalError(text) from error
        yield process.pid
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_LIMIT_S):
                _ = await process.wait()
        except TimeoutError:
            process.kill()
            _ = await process.wait()


async def is_listening(port: int) -> bool:
    """Return whether somebody accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(HERE, port)
    except OSError:
        return False
    writer.close()
    return True


def _opened(log: Path) -> BinaryIO:
    return log.open("wb")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-COMPLAINT_BYTES:]
