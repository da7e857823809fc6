"""Runs the cases of one module, each in a process of its own: what `ei module test` starts.

    python -P -m ei.testing.apart FOLDER LIMIT_S DESCRIPTOR [WORD]

Each case is told as a line of JSON on DESCRIPTOR (`ei.testing.cases.Case`); what the tests
themselves print goes elsewhere.
"""

import faulthandler
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from ei.testing.cases import MAX_WORDS, Case

OPTIONS = (
    "-q", "--tb=short", "--import-mode=importlib", "-p", "no:cacheprovider", "-c", os.devnull,
)  # fmt: skip
PLACE = re.compile(r"^([^\s:]+\.py):(\d+):", re.MULTILINE)
FRAME = re.compile(r'^  File "([^"]+)", line (\d+)', re.MULTILINE)
CAUSE = "The above exception was the direct cause of the following exception"
NO_TESTS = pytest.ExitCode.NO_TESTS_COLLECTED


class Apart:
    """A plugin of pytest: forks for each case, and tells how it went.

    Args:
        folder: Of the module.
        limit_s: For each case.
        descriptor: Where it tells.
    """

    def __init__(self, folder: Path, *, limit_s: float, descriptor: int) -> None:
        self._folder = folder
        self._limit_s = limit_s
        self._descriptor = descriptor

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that does not load."""
        if report.failed:
            place, words = explained(report.longreprtext)
            self._tell(Case(Path(report.nodeid).name, "failed", place=place, words=words))

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Run one case."""
        self._tell(self._run_apart(item))
        return True

    def _tell(self, case: Case) -> None:
        line = msgspec.json.encode(case) + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]

    def _run_apart(self, item: pytest.Item) -> Case:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            try:
                # Also out of a call that never comes back to Python.
                faulthandler.dump_traceback_later(self._limit_s, exit=True, file=writing)
                told = msgspec.json.encode(_run(item))
                faulthandler.cancel_dump_traceback_later()
                _ = os.write(writing, told)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(pid, 0)
        try:
            return msgspec.json.decode(told, type=Case)
        except msgspec.DecodeError:
            return self._cut(item.name, told.decode(errors="replace"), status)

    def _cut(self, name: str, trace: str, status: int) -> Case:
        """Return what is to be said of a case that did not end by itself."""
        code = os.waitstatus_to_exitcode(status)
        if trace:
            words = f"it did not end within {self._limit_s:g} s"
            return Case(name, "failed", self._limit_s, self._place(trace), words)
        end = signal.Signals(-code).name if code < 0 else "an exit of its own"
        return Case(name, "failed", words=f"its process ended by {end}")

    def _place(self, trace: str) -> str:
        """Return the innermost line of the module's own."""
        own = (found for found in FRAME.findall(trace) if self._folder in Path(found[0]).parents)
        file, line = next(own, ("", ""))
        return f"{Path(file).name}:{line}" if file else ""


def explained(text: str) -> tuple[str, str]:
    """Return where something failed, and why, from what pytest says of it."""
    last = text.rpartition(CAUSE)[2]
    words = [line[1:].strip(" ") for line in last.splitlines() if line.startswith("E")]
    places = PLACE.findall(last)
    if not words:
        words = [line for line in last.splitlines() if line.strip()][-1:]
    said = "\n".join(words).removeprefix("AssertionError: ").removeprefix("ei.errors.")
    return ":".join(places[-1]) if places else "", said[:MAX_WORDS]


def _run(item: pytest.Item) -> Case:
    """Run a case in this process."""
    steps: dict[Literal["setup", "call", "teardown"], Callable[[], object]] = {
        "setup": partial(item.ihook.pytest_runtest_setup, item=item),
        "call": partial(item.ihook.pytest_runtest_call, item=item),
        "teardown": partial(item.ihook.pytest_runtest_teardown, item=item, nextitem=None),
    }
    took_s = 0.0
    ended: pytest.TestReport | None = None
    for when, step in steps.items():
        if when == "call" and ended is not None:
            continue
        call = pytest.CallInfo[object].from_call(step, when=when)
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        took_s += report.duration
        if not report.passed and (ended is None or report.failed):
            ended = report
    if ended is None:
        return Case(item.name, "passed", took_s)
    if ended.skipped:
        _, line, why = ended.longrepr if isinstance(ended.longrepr, tuple) else ("", 0, "")
        place = f"{item.path.name}:{line}" if line else ""
        return Case(item.name, "skipped", took_s, place, why.removeprefix("Skipped: "))
    place, words = explained(ended.longreprtext)
    return Case(item.name, "failed", took_s, place, words)


def main(arguments: Sequence[str]) -> int:
    """Run the cases of the folder that `arguments` name."""
    folder, limit_s, descriptor, only = arguments
    options = [*OPTIONS, "--rootdir", folder, "--confcutdir", folder]
    chosen = ["-k", only] if only else []
    plugin = Apart(Path(folder), limit_s=float(limit_s), descriptor=int(descriptor))
    files = sorted(str(path) for path in Path(folder).glob("test_*.py"))
    code = pytest.main([*options, *chosen, *files], plugins=[plugin]) if files else 0
    # That a case has failed, or a file does not load, was told.
    is_told = code in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, NO_TESTS}
    return 0 if is_told else int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
