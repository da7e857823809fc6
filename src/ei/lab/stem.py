"""The process from which the daemons of a lab are forked: Python and our modules are loaded once.

It has one thread for ever, so that forking is safe, and talks to the supervisor over a sequenced
socket: a `Start` down, a `Started` and later an `Exited` up, as msgpack. It ends when the socket
does, and its children are killed by the kernel when it ends.
"""

import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from ei.lab.namespaces import enter
from ei.runtime.mortality import die_with_parent

MAX_MESSAGE_BYTES = 65_536
PR_SET_CHILD_SUBREAPER = 36


class Start(msgspec.Struct, frozen=True, tag=True):
    """Fork a daemon.

    Attributes:
        name: Of the node or host.
        kind: Which of the programs that the stem was given.
        folder: Its files; the working directory stays the supervisor's.
        namespace: Path of its network namespace; empty for the supervisor's.
        tree: Source tree whose code it runs, in a Python of its own; empty for what is loaded here.
    """

    name: str
    kind: str
    folder: str
    namespace: str = ""
    tree: str = ""


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


def run_stem(control: socket.socket, programs: Mapping[str, Program]) -> NoReturn:
    """Fork daemons as told, until the supervisor is gone.

    Args:
        control: SOCK_SEQPACKET, blocking.
        programs: Daemon kind to the program that a fork runs.
    """
    # Stopping is the supervisor's business: Ctrl-C in its terminal is not meant for us.
    _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_reaper()
    # What is loaded by now stays: to look for garbage in it would copy it for every daemon.
    gc.freeze()
    stem = _Stem(control, programs)
    while True:
        stem.step()


class _Stem:
    def __init__(self, control: socket.socket, programs: Mapping[str, Program]) -> None:
        self._control = control
        self._programs = programs
        self._names: dict[int, str] = {}
        self._wakeup, wakes = socket.socketpair()
        self._wakeup.settimeout(0)
        wakes.settimeout(0)
        self._wakes = wakes
        _ = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        _ = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector = selectors.DefaultSelector()
        _ = self._selector.register(control, selectors.EVENT_READ)
        _ = self._selector.register(self._wakeup, selectors.EVENT_READ)

    def step(self) -> None:
        for key, _events in self._selector.select():
            if key.fileobj is self._wakeup:
                _ = self._wakeup.recv(MAX_MESSAGE_BYTES)
                self._reap()
            elif message := _receive(self._control):
                self._fork(_starts.decode(message))
            else:
                os._exit(0)

    def _fork(self, start: Start) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._close()
            _run_child(self._programs[start.kind], start, parent)
        self._names[pid] = start.name
        _send(self._control, Started(start.name, pid))

    def _close(self) -> None:
        _ = signal.set_wakeup_fd(-1)
        _ = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for each in (self._control, self._wakeup, self._wakes):
            each.close()

    def _reap(self) -> None:
        """Collect every child that ended: daemons, and what dead daemons left to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._names:
                name = self._names.pop(pid)
                _send(self._control, Exited(name, pid, os.waitstatus_to_exitcode(status)))


def become_reaper() -> None:
    """Have orphans below this process come to it, rather than to init (prctl(2))."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run_child(program: Program, start: Start, parent: int) -> NoReturn:
    """Become a daemon of its own session; never return."""
    status = 1
    folder = Path(start.folder)
    try:
        die_with_parent(parent)
        os.setsid()
        _write_output_to(folder / "log")
        _ = signal.signal(signal.SIGINT, signal.SIG_DFL)
        if start.namespace:
            enter(start.namespace)
        if start.tree:
            _run_elsewhere(start)
        status = program(folder)
    except SystemExit as wanted:
        status = wanted.code if isinstance(wanted.code, int) else 1
    except BaseException:  # the outermost edge of a process: it may not return
        traceback.print_exc()
    finally:
        _ = sys.stdout.flush()
        _ = sys.stderr.flush()
        os._exit(status)


def _run_elsewhere(start: Start) -> NoReturn:
    """Become the daemon of another source tree; what is open here closes, session and mark stay."""
    config = f"{start.folder}/{start.kind}.toml"
    command = [sys.executable, "-m", "ei", start.kind, "run", "--config", config]
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": f"{start.tree}/src"})  # noqa: S606 no shell


def _write_output_to(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _ = os.dup2(descriptor, 1)
    _ = os.dup2(descriptor, 2)
    os.close(descriptor)
    # Whatever wrote to the parent's streams must not: lines go to the log as they come.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


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
