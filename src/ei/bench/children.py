"""The processes of a benchmark: started in their namespace, on their core, and ended with it."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ei.errors import DeadlineError, LocalError

END_LIMIT_S = 3.0
PIECE_BYTES = 65_536


class Child:
    """A process that is told things and says things in JSON lines.

    Args:
        name: For messages.
        command: What to run.
        cpu: Core to run on, of those that this process may use, or `None`.
        log: Where its standard error goes, instead of what is there.
        end_limit_s: How long it may take to end when its standard input does, and again when it
            gets SIGTERM.
    """

    def __init__(
        self, name: str, command: Sequence[str], *,
        cpu: int | None, log: Path, end_limit_s: float = END_LIMIT_S,
    ) -> None:  # fmt: skip
        self._name = name
        self._log = log
        self._end_limit_s = end_limit_s
        self._heard = b""
        # What `ip netns exec` runs inherits the core, so this may come first.
        pin = () if cpu is None else ("taskset", "-c", str(allowed_cpu(cpu)))
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*pin, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def tell(self, message: object) -> None:
        """Write one JSON line.

        Raises:
            LocalError: the process ended; with what it said last.
        """
        stdin = self._process.stdin
        if stdin is None:
            raise LocalError(f"{self._name} has no standard input")
        try:
            _ = stdin.write(msgspec.json.encode(message) + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def hear(self, *, deadline_s: float) -> dict[str, object]:
        """Return the next JSON line.

        Raises:
            DeadlineError: none came in time.
            LocalError: the process ended, or says that it failed, or something else than JSON.
        """
        line = self._next_line(deadline_s)
        try:
            answer = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.DecodeError as error:
            raise LocalError(f"{self._name} said {line[:200]!r}, not a JSON object") from error
        if "error" in answer:
            raise LocalError(f"{self._name}: {answer['error']}")
        return answer

    def _next_line(self, deadline_s: float) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise LocalError(f"{self._name} has no standard output")
        ends_s = time.monotonic() + deadline_s
        # Not `readline`: it keeps what it has read ahead, where `select` does not see it.
        while b"\n" not in self._heard:
            wait_s = max(ends_s - time.monotonic(), 0.0)
            ready, _, _ = select.select([stdout], [], [], wait_s)
            if not ready:
                raise DeadlineError(f"{self._name}: no answer in {deadline_s:g} s")
            piece = os.read(stdout.fileno(), PIECE_BYTES)
            if not piece:
                raise self._ended()
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _ended(self) -> LocalError:
        return LocalError(f"{self._name} ended: {self.last_words() or 'without a word'}")

    def last_words(self) -> str:
        """Return the last line of its standard error, or nothing; indented ones are details."""
        said = self._log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(said) if line[:1].strip()), "")

    def hang_up(self) -> None:
        """End its standard input: it has been told all."""
        if self._process.stdin is not None:
            # What it was told last may wait here, for one that has ended.
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def terminate(self) -> None:
        """Ask it to end by SIGTERM, for one that does not heed its standard input."""
        self._process.terminate()

    def end(self) -> int:
        """Hang up and wait for its end, by force in the end; return its exit code."""
        self.hang_up()
        for force in (self._process.terminate, self._process.kill):
            try:
                _ = self._process.wait(self._end_limit_s)
            except subprocess.TimeoutExpired:
                force()
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        _ = self.end()


@contextmanager
def on_core(cpu: int) -> Generator[None]:
    """Keep this thread on a core, as `Child` keeps a process, until the block ends."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {allowed_cpu(cpu)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allowed_cpu(number: int) -> int:
    """Return a core that this process may use; where fewer may be used they are shared."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[number % len(allowed)]


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules."""
    return (sys.executable, "-m", module, *arguments)
