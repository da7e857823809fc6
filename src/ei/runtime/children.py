"""A worker as its parent knows it: what it says, and how it ends."""

import os
import signal
from contextlib import suppress

import msgspec

from ei.runtime.jail import Jail
from ei.runtime.voices import Jailed, LastWords, Lines, harmless, hear

MAX_LINES_BYTES = 64 * 1024


class WorkerStarted(msgspec.Struct, frozen=True, tag="started"):
    """A worker was forked; it may still fail to load its service."""

    service: int
    pid: int


class WorkerJailed(msgspec.Struct, frozen=True, tag="jailed"):
    """A worker has closed its jail; its service runs next."""

    service: int
    pid: int
    jail: Jail


class WorkerExited(msgspec.Struct, frozen=True, tag="exited"):
    """A worker is gone, or could not be forked.

    Attributes:
        service: Number.
        pid: Of the process that was; 0 when there was none.
        cause: Its last words, or how it ended: `exit 1`, `SIGKILL`.
    """

    service: int
    pid: int
    cause: str


Report = WorkerStarted | WorkerJailed | WorkerExited


class Child:
    """A worker as the nursery knows it.

    Args:
        words: Reading end of a pipe of packets, which does not block; see `ei.runtime.voices`.
        errors: That of its standard error.

    Raises:
        OSError: No descriptor is left.
    """

    def __init__(self, service: int, pid: int, words: int, errors: int, name: str) -> None:
        self.service = service
        self.pid = pid
        self.words = words
        self.errors = errors
        self.is_jailed = False
        self.process = os.pidfd_open(pid)
        self._lines = Lines(name)
        self._cause = ""

    def listen(self) -> WorkerJailed | None:
        """Take what it has said; return a report if that is one."""
        match hear(self.words):
            case Jailed(jail=jail) if not self.is_jailed:
                self.is_jailed = True
                return WorkerJailed(self.service, self.pid, jail)
            case LastWords(cause=cause):
                self._cause = harmless(cause)
            case _:
                pass
        return None

    def relay(self, now_s: float) -> bool:
        """Write on our standard error what it wrote on its own; return whether that goes on."""
        try:
            said = os.read(self.errors, MAX_LINES_BYTES)
        except BlockingIOError:
            return True
        for line in self._lines.take(said, now_s):
            with suppress(OSError):  # nobody reads it
                _ = os.write(2, f"{line}\n".encode())
        return bool(said)

    def end(self, now_s: float) -> WorkerExited:
        """Reap it, after its process descriptor became readable."""
        _, status = os.waitpid(self.pid, 0)
        for _ in range(2):  # more than that, and it was no honest worker
            _ = self.listen()
        _ = self.relay(now_s)
        for descriptor in (self.process, self.words, self.errors):
            os.close(descriptor)
        return WorkerExited(
            self.service, self.pid, self._cause or how_it_ended(os.waitstatus_to_exitcode(status))
        )


def how_it_ended(code: int) -> str:
    """Return how a worker ended, by its exit code, or the negative number of a signal."""
    if code >= 0:
        return f"exit {code}"
    if -code == signal.SIGXCPU:
        return "SIGXCPU: one call took more CPU time than its manifest's handler_ms"
    named = {each.value: each.name for each in signal.Signals}
    return named.get(-code, f"signal {-code}")  # those of real time have no names
