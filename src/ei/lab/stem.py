"""The process from which the daemons of a lab are forked: Python and our modules are loaded once.

It has one thread for ever, so that forking is safe, and talks to the supervisor over a sequenced
socket: a `Start` down, a `Started` and later an `Exited` up, as msgpack. It ends when the socket
does, and its children are killed by the kernel when it ends.
"""

import ctypes
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

MAX_MESSAGE_BYTES = 65_536
PR_SET_PDEATHSIG = 1


class Start(msgspec.Struct, frozen=True, tag=True):
    """Fork a daemon.

    Attributes:
        name: Of the node or host.
        kind: Which of the programs that the stem was given.
        folder: Its files; the working directory stays the supervisor's.
    """

    name: str
    kind: str
    folder: str


class Started(msgspec.Struct, frozen=True, tag=True):
    """A daemon runs."""

    name: str
    pid: int


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A daemon ended; `status` is its exit code, or minus the signal that ended it."""

    name: str
    pid: int
    status: int


Program = Callable[[Path], int]
"""A daemon: takes its folder, runs until it is told to stop, returns an exit code."""

_starts = msgspec.msgpack.Decoder(Start)
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class _Child:
    name: str
    pid: int


def run_stem(control: socket.socket, programs: Mapping[str, Program]) -> NoReturn:
    """Fork daemons as told, until the supervisor is gone.

    Args:
        control: SOCK_SEQPACKET, blocking.
        programs: Daemon kind to the program that a fork runs.
    """
    # Stopping is the supervisor's business: Ctrl-C in its terminal is not meant for us.
    _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with selectors.DefaultSelector() as selector:
        _ = selector.register(control, selectors.EVENT_READ, None)
        while True:
            for key, _events in selector.select():
                child: _Child | None = key.data
                if child is not None:
                    _ = selector.unregister(key.fileobj)
                    os.close(key.fd)
                    _report_exit(control, child)
                elif message := _receive(control):
                    _fork(control, selector, programs, _starts.decode(message))
                else:
                    os._exit(0)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _fork(
    control: socket.socket,
    selector: selectors.BaseSelector,
    programs: Mapping[str, Program],
    start: Start,
) -> None:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _run_child(control, selector, programs[start.kind], Path(start.folder), parent)
    _ = selector.register(os.pidfd_open(pid), selectors.EVENT_READ, _Child(start.name, pid))
    _send(control, Started(start.name, pid))


def _run_child(
    control: socket.socket,
    selector: selectors.BaseSelector,
    program: Program,
    folder: Path,
    parent: int,
) -> NoReturn:
    """Become a daemon of its own session; never return."""
    status = 1
    try:
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()
        for key in list(selector.get_map().values()):
            if key.data is not None:
                os.close(key.fd)
        selector.close()
        control.close()
        _write_output_to(folder / "log")
        _ = signal.signal(signal.SIGINT, signal.SIG_DFL)
        status = program(folder)
    except SystemExit as wanted:
        status = wanted.code if isinstance(wanted.code, int) else 1
    except BaseException:  # the outermost edge of a process: it may not return
        traceback.print_exc()
    finally:
        _ = sys.stdout.flush()
        _ = sys.stderr.flush()
        os._exit(status)


def _write_output_to(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _ = os.dup2(descriptor, 1)
    _ = os.dup2(descriptor, 2)
    os.close(descriptor)
    # Whatever wrote to the parent's streams must not: lines go to the log as they come.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _report_exit(control: socket.socket, child: _Child) -> None:
    _, status = os.waitpid(child.pid, 0)
    _send(control, Exited(child.name, child.pid, os.waitstatus_to_exitcode(status)))


def _send(control: socket.socket, message: Started | Exited) -> None:
    try:
        _ = control.send(_encoder.encode(message))
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _receive(control: socket.socket) -> bytes:
    try:
        return control.recv(MAX_MESSAGE_BYTES)
    except ConnectionResetError:
        return b""
