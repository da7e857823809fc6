"""The cases of a module's own tests, each run in a process of its own.

So one that hangs, crashes or leaves something behind is one case that failed, and no other.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal

import msgspec

from ei.errors import LocalError, NotFoundError, ServiceError

GRACE_S = 10.0
"""Beside the time that a case may take: to start, to collect the cases, to end one."""

MAX_WORDS = 4_000


class Case(msgspec.Struct, frozen=True):
    """One case, and how it went.

    Attributes:
        name: As pytest names it: the function, and its parameters in brackets.
        outcome: How it went.
        took_s: In seconds.
        place: `test_service.py:14`, where it failed or was skipped; empty where nobody knows.
        words: Why, in a line or more; empty for one that passed.
    """

    name: str
    outcome: Literal["passed", "failed", "skipped"]
    took_s: float = 0.0
    place: str = ""
    words: str = ""


def run_cases(
    folder: Path,
    *,
    limit_s: float = 30.0,
    only: str = "",
    on_case: Callable[[Case], object] = lambda _case: None,
) -> tuple[Case, ...]:
    """Run the cases in `test_*.py` of a folder; return them in their order.

    Args:
        folder: Of the module.
        limit_s: For each; one that takes longer is ended, and says where it was.
        only: Cases whose name has this word; all by default.
        on_case: Gets each when it is over.

    Raises:
        NotFoundError: there is no such case.
        LocalError: pytest is not installed.
        ServiceError: the process that runs them ended before it was done.
    """
    if find_spec("pytest") is None:
        raise LocalError("pytest is not installed", remedy="Install it: pip install pytest")
    cases: list[Case] = []
    for case in _told(folder, limit_s, only):
        cases.append(case)
        _ = on_case(case)
    if not cases:
        word = f" with {only!r} in its name" if only else ""
        raise NotFoundError(
            f"{folder} has no case{word}",
            remedy="A case is a function test_... in a file test_....py.",
        )
    return tuple(cases)


def _told(folder: Path, limit_s: float, only: str) -> Iterator[Case]:
    """Yield cases as the process that runs them tells of them.

    Raises:
        ServiceError: it has ended, or is silent for too long.
    """
    reading, writing = os.pipe()
    # Neither what surrounds the folder has a say, nor plugins; and nothing is left in it.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [str(folder), f"{limit_s:g}", str(writing), only]
    with os.fdopen(reading, "rb", buffering=0) as told, tempfile.TemporaryFile() as said:
        try:
            runner = subprocess.Popen(
                [sys.executable, "-P", "-m", "ei.testing.apart", *words],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=folder,
                env=environ,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        try:
            for line in _lines(told, limit_s + GRACE_S):
                yield msgspec.json.decode(line, type=Case)
            code = runner.wait(GRACE_S)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise ServiceError(f"{folder}: its tests do not load within {limit_s:g} s") from error
        finally:
            if runner.poll() is None:
                os.killpg(runner.pid, signal.SIGKILL)
                _ = runner.wait()
        if code:
            raise ServiceError(f"{folder}: its tests ended the process: {_last_line(said, code)}")


def _lines(told: IO[bytes], limit_s: float) -> Iterator[bytes]:
    """Yield lines until the end of file.

    Raises:
        TimeoutError: there was none for `limit_s`.
    """
    pending = b""
    while True:
        if not select.select([told], [], [], limit_s)[0]:
            raise TimeoutError
        piece = told.read(65_536)
        if not piece:
            return
        *lines, pending = (pending + piece).split(b"\n")
        yield from lines


def _last_line(said: IO[bytes], code: int) -> str:
    _ = said.seek(0)
    lines = said.read()[-MAX_WORDS:].decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit {code}"
