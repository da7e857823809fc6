"""Servers that are not ours, each in a session of its own, while a scenario needs them."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from ei.errors import LocalError
from ei.lab.census import MARK
from ei.lab.namespaces import inside
from ei.lab.process_lab import ProcessLab
from ei.lab.run_folder import RunFolder

START_LIMIT_S = 15.0
EVERY_S = 0.02
END_LIMIT_S = 10.0
COMPLAINT_BYTES = 400
LISTENS = "0A"
"""TCP_LISTEN of linux/tcp_states.h, as the kernel prints it."""


def environ_of(lab: ProcessLab) -> Mapping[str, str]:
    """Return the environment of programs that go down with the lab, also if this one is killed."""
    folder = lab.folder(next(iter(lab.topology.nodes))).parent
    environ = {key: value for key, value in os.environ.items() if not _is_proxy(key)}
    return {**environ, MARK: RunFolder(folder).read().run_id}


@asynccontextmanager
async def running(
    *words: str,
    at: int | Path,
    folder: Path,
    environ: Mapping[str, str],
    namespace: str | None = None,
    limit_s: float = START_LIMIT_S,
) -> AsyncGenerator[int]:
    """Run a server, from when it listens until the block ends; yield its process id.

    Args:
        at: TCP port or path of a socket, by which it is known to listen. Nothing connects to it.
        folder: Where it runs, and where what it says is kept.
        namespace: Path of the network namespace that it runs in, if not this one.
        limit_s: Until then it listens.

    Raises:
        LocalError: it does not; with the end of what it said.
    """
    log = folder / f"{Path(words[0]).name}.log"
    process = _start(words, log, environ, namespace)
    try:
        try:
            async with asyncio.timeout(limit_s):
                while not is_listening(at, namespace):
                    if process.poll() is not None:
                        text = f"{words[0]} ended with {process.returncode}: {_end_of(log)!r}"
                        raise LocalError(text)
                    await asyncio.sleep(EVERY_S)
        except TimeoutError as error:
            text = f"{words[0]} does not listen after {limit_s:g} s: {_end_of(log)!r}"
            raise LocalError(text) from error
        yield process.pid
    finally:
        await asyncio.to_thread(_end, process)


async def end(process: asyncio.subprocess.Process) -> None:
    """End a program that may have ended already: by SIGTERM, by force in the end."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(END_LIMIT_S):
            _ = await process.wait()
    except TimeoutError:
        process.kill()
        _ = await process.wait()


def is_listening(at: int | Path, namespace: str | None = None) -> bool:
    """Return whether somebody listens on a TCP port or a socket of the file system.

    Args:
        namespace: Path of the network namespace where, if not this one.
    """
    with nullcontext() if namespace is None else inside(namespace):
        if isinstance(at, Path):
            return any(line.endswith(f" {at}") for line in _lines("unix"))
        lines = [line.split() for name in ("tcp", "tcp6") for line in _lines(name)]
    return any(line[3] == LISTENS and line[1].endswith(f":{at:04X}") for line in lines)


def unused_port() -> int:
    """Return a TCP port of the loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _start(
    words: tuple[str, ...], log: Path, environ: Mapping[str, str], namespace: str | None
) -> subprocess.Popen[bytes]:
    with log.open("wb") as file, nullcontext() if namespace is None else inside(namespace):
        return subprocess.Popen(
            words,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environ,
            start_new_session=True,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, by force in the end. Blocks."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        _ = process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _ = process.wait()


def _lines(name: str) -> list[str]:
    """Return the lines of one of the kernel's tables of sockets; see proc(5)."""
    table = Path("/proc/thread-self/net") / name
    return table.read_text().splitlines()[1:] if table.exists() else []


def _is_proxy(key: str) -> bool:
    return key.lower().endswith("_proxy")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-COMPLAINT_BYTES:]
