"""The processes of a benchmark: started in their namespace, on their core, and ended with it."""

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ei.errors import DeadlineError, LocalError

END_LIMIT_S = 3.0


class Child:
    """A process that is told things and says things in JSON lines.

    Args:
        name: For messages.
        command: What to run.
        cpu: Core to run on, or `None`.
        log: Where its standard error goes.
    """

    def __init__(self, name: str, command: Sequence[str], *, cpu: int | None, log: Path) -> None:
        self._name = name
        self._log = log
        # On a machine with fewer cores everything shares what there is.
        pin = () if cpu is None else ("taskset", "-c", str(cpu % (os.cpu_count() or 1)))
        # `ip netns exec` must come before `taskset`, which does not mind.
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*pin, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )

    def tell(self, message: object) -> None:
        """Write one JSON line."""
        line = msgspec.json.encode(message) + b"\n"
        stdin = self._process.stdin
        if stdin is None:
            raise LocalError(f"{self._name} has no standard input")
        _ = stdin.write(line)
        stdin.flush()

    def hear(self, *, deadline_s: float) -> dict[str, object]:
        """Return the next JSON line.

        Raises:
            DeadlineError: none came in time.
            LocalError: the process ended, or says that it failed.
        """
        stdout = self._process.stdout
        if stdout is None:
            raise LocalError(f"{self._name} has no standard output")
        ready, _, _ = select.select([stdout], [], [], deadline_s)
        if not ready:
            raise DeadlineError(f"{self._name}: no answer in {deadline_s:g} s")
        line = stdout.readline()
        if not line:
            said = self._log.read_text()[-2_000:].strip().splitlines()
            raise LocalError(f"{self._name} ended: {said[-1] if said else 'without a word'}")
        answer = msgspec.json.decode(line, type=dict[str, object])
        if "error" in answer:
            raise LocalError(f"{self._name}: {answer['error']}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        for stream in (self._process.stdin,):
            if stream is not None:
                stream.close()
        try:
            _ = self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            try:
                _ = self._process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                _ = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules."""
    return (sys.executable, "-m", module, *arguments)
