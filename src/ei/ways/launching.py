"""Starts a program as its shell would, in a process that first may prepare a place for it.

The child is forked before this process has threads. It prepares, says so with whatever descriptors
it opened there, and becomes the program on the word to go. It ends with this process, whatever ends
that.
"""

import ctypes
import errno
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from ei.errors import DeniedError, EiError

MAX_MESSAGE_BYTES = 16 * 1024
MAX_DESCRIPTORS = 8
PR_SET_PDEATHSIG = 1
GO = b"go"
NOT_FOUND = 127
NOT_ALLOWED = 126
BY_SIGNAL = 128
"""What shells say of a program that is not there, that may not run, or (with the number of the
signal) that a signal ended."""
CAUGHT_BY_US = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)

Prepare = Callable[[], Sequence[socket.socket]]
"""Runs in the child; returns sockets for the parent. Its `EiError`s and `OSError`s are refusals."""


@dataclass(frozen=True, slots=True)
class NotRun:
    """Why a child did not become its program; `code` is the exit code for it."""

    code: int
    text: str


class Launched:
    """A child that waits for the word to go.

    Attributes:
        sockets: From where it prepared.
    """

    def __init__(self, pid: int, line: socket.socket, sockets: Sequence[socket.socket]) -> None:
        self._pid = pid
        self._line = line
        self.sockets = tuple(sockets)
        self.pidfd = os.pidfd_open(pid)

    def go(self, variables: Mapping[str, str | None]) -> NotRun | None:
        """Let it become the program; or say why not.

        Args:
            variables: Of its environment that differ from those here; `None` removes one.
        """
        with suppress(BrokenPipeError):
            _ = self._line.send(GO + json.dumps(dict(variables)).encode())
        said = self._line.recv(MAX_MESSAGE_BYTES)
        # Becoming the program closes the line.
        return NotRun(**json.loads(said)) if said else None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing when it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def wait(self) -> int:
        """Wait for its end; return its exit code, or 128 and the number of the signal."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return code if code >= 0 else BY_SIGNAL - code

    def close(self) -> None:
        """Give everything back; a child that still waits ends."""
        self._line.close()
        for each in self.sockets:
            each.close()
        os.close(self.pidfd)


def find_program(program: str, environ: Mapping[str, str]) -> NotRun | None:
    """Return what is wrong with the name of a program, before anything else is tried for it."""
    if "/" in program or shutil.which(program, path=environ.get("PATH")) is not None:
        return None
    return NotRun(NOT_FOUND, f"there is no program {program!r}")


def launch(command: Sequence[str], prepare: Prepare = tuple) -> Launched:
    """Fork the child that is to become `command`, and wait until it has prepared.

    Raises:
        DeniedError: it could not: why. Nothing is left of it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for stream in (sys.stdout, sys.stderr):
        _ = stream.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_child(command, prepare, theirs, parent)
    theirs.close()
    said, files, _, _ = socket.recv_fds(ours, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
    trouble = json.loads(said) if said else {"cause": "the child ended", "remedy": ""}
    if trouble:
        ours.close()
        _ = os.waitpid(pid, 0)
        raise DeniedError(trouble["cause"], remedy=trouble["remedy"])
    return Launched(pid, ours, [socket.socket(fileno=file) for file in files])


def _be_child(
    command: Sequence[str], prepare: Prepare, line: socket.socket, parent: int
) -> NoReturn:
    """Never returns, and never runs what the parent would at its end."""
    try:
        for number in CAUGHT_BY_US:
            if callable(signal.getsignal(number)):
                _ = signal.signal(number, signal.SIG_DFL)
        try:
            sockets = prepare()
        except (EiError, OSError) as error:
            _ = line.send(json.dumps(_told(error)).encode())
            os._exit(NOT_ALLOWED)
        _die_with(parent)
        _ = socket.send_fds(line, [b"{}"], [each.fileno() for each in sockets])
        for each in sockets:
            each.close()
        said = line.recv(MAX_MESSAGE_BYTES)
        if not said.startswith(GO):
            os._exit(NOT_ALLOWED)
        for number in IGNORED_BY_PYTHON:
            _ = signal.signal(number, signal.SIG_DFL)
        try:
            _change_environment(json.loads(said.removeprefix(GO)))
            os.execvp(command[0], list(command))  # noqa: S606 to become it is the point
        except OSError as error:
            _ = line.send(json.dumps(_not_run(command[0], error)).encode())
    finally:
        os._exit(NOT_FOUND)


def _change_environment(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            _ = os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _die_with(parent: int) -> None:
    """Have this process ended when its parent has."""
    _ = ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        os._exit(NOT_ALLOWED)


def _told(error: EiError | OSError) -> dict[str, str]:
    if isinstance(error, EiError):
        return {"cause": str(error), "remedy": error.remedy}
    place = f"{error.filename}: " if error.filename else ""
    return {"cause": f"{place}{error.strerror or error}", "remedy": ""}


def _not_run(program: str, error: OSError) -> dict[str, object]:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return {"code": NOT_FOUND, "text": f"there is no program {program!r}"}
    return {"code": NOT_ALLOWED, "text": f"{program!r} may not be run: {error.strerror}"}
