"""Runs what a page of the documentation tells its reader to do, as the reader would.

Fenced blocks of a page are taken in order, in one shell, in an empty folder:

- `console`: lines that begin with `$ ` are run; what follows them is the output to expect, where
  `…` stands for anything within a line, and a line of only `…` for any lines. A command that must
  fail is followed by a line `[exit N]`.
- `sh`: run as it is.
- `python`: run by the interpreter.
- any language after `<!-- file: PATH -->`: written to PATH.
- anything after `<!-- not run: REASON -->`: not run; the reason is for the reader of the source.
- `text` and blocks without a language: for the eye only.
"""

import os
import re
import secrets
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from ei.lab.processes import stop_lab

ROOT = Path(__file__).parents[2]
RUNNABLE = {"console", "sh", "python"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (file|not run): (.+?) -->\s*\Z")
EXIT = re.compile(r"\[exit (\d+)\]")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        line: Of the page, for messages.
        kind: `run` or `write`.
        text: What to run or to write.
        path: Where to write it.
        expected: Output as the page shows it; `None` where it shows none.
        exit_code: How it must end.
    """

    line: int
    kind: Literal["run", "write"]
    text: str
    path: str = ""
    expected: str | None = None
    exit_code: int = 0


class PageError(AssertionError):
    """A page does not do what it says."""


def steps_of(page: str) -> list[Step]:
    """Return what the reader of `page` is told to do.

    Raises:
        PageError: a block is in a language that nobody runs, without saying why.
    """
    steps: list[Step] = []
    for fence in FENCE.finditer(page):
        language, body = fence[1], fence[2]
        line = page.count("\n", 0, fence.start()) + 1
        mark = MARK.search(page[: fence.start()])
        if mark and mark[1] == "not run":
            continue
        if mark:
            steps.append(Step(line, "write", body, path=mark[2]))
        elif language == "console":
            steps += _console_steps(body, line)
        elif language == "sh":
            steps.append(Step(line, "run", body))
        elif language == "python":
            steps.append(Step(line, "run", f"python - <<'END_OF_EXAMPLE'\n{body}END_OF_EXAMPLE\n"))
        elif language not in {"", "text"}:
            raise PageError(f"line {line}: a block of {language} needs '<!-- file: PATH -->'")
    return steps


def _console_steps(body: str, line: int) -> list[Step]:
    steps: list[Step] = []
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
    if parts[0].strip():
        raise PageError(f"line {line}: a console block begins with '$ '")
    for part in parts[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command}\n{more}"
        code = EXIT.search(output)
        output = EXIT.sub("", output).strip("\n")
        exit_code = int(code[1]) if code else 0
        steps.append(Step(line, "run", command, expected=output or None, exit_code=exit_code))
    return steps


def run_page(page: str, folder: Path, *, limit_s: float = 120.0) -> None:
    """Do all that `page` says, in `folder`, with a home of its own.

    Args:
        folder: Empty; what the page writes is here.
        limit_s: For each command.

    Raises:
        PageError: a command ended or answered otherwise than the page says.
    """
    with Shell(folder, limit_s=limit_s) as shell:
        for step in steps_of(page):
            if step.kind == "write":
                path = folder / step.path
                path.parent.mkdir(parents=True, exist_ok=True)
                _ = path.write_text(step.text)
                continue
            code, said = shell.run(step.text)
            seen = f"line {step.line}: {step.text.strip()}\n{said}"
            if code != step.exit_code:
                raise PageError(f"{seen}[exit {code}, the page says {step.exit_code}]")
            if step.expected is not None and not fits(said, step.expected):
                raise PageError(f"{seen}[the page says]\n{step.expected}")


def fits(said: str, expected: str) -> bool:
    """Whether output fits what a page shows of it; trailing space does not count."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
    return re.fullmatch(pattern, said.rstrip() + "\n") is not None


class Shell:
    """One bash, kept from command to command, with stdout and stderr joined as on a terminal."""

    def __init__(self, folder: Path, *, limit_s: float) -> None:
        home = folder.parent / f"{folder.name}-home"
        home.mkdir(exist_ok=True)
        self._environ = {
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "CLONE": str(ROOT),
        }
        self._limit_s = limit_s
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return how it ended and what it said.

        Raises:
            PageError: it takes longer than the limit.
        """
        assert self._shell.stdin is not None
        mark = f"END-{secrets.token_hex(8)}"
        script = f"{{ {command}\n}} </dev/null\nprintf '\\n{mark} %d\\n' $?\n"
        _ = self._shell.stdin.write(script.encode())
        self._shell.stdin.flush()
        said = self._read_until(mark, command)
        text, _, code = said.rpartition(f"\n{mark} ")
        return int(code), text

    def _read_until(self, mark: str, command: str) -> str:
        assert self._shell.stdout is not None
        ends_s = time.monotonic() + self._limit_s
        said = b""
        with selectors.DefaultSelector() as selector:
            _ = selector.register(self._shell.stdout, selectors.EVENT_READ)
            while not re.search(rf"\n{mark} \d+\n\Z".encode(), said):
                if not selector.select(max(0.0, ends_s - time.monotonic())):
                    raise PageError(f"{command}: no end after {self._limit_s:g} s\n{said.decode()}")
                piece = os.read(self._shell.stdout.fileno(), 65_536)
                if not piece:
                    raise PageError(f"{command}: ended the shell\n{said.decode()}")
                said += piece
        return said.decode(errors="replace").rstrip("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end_shell()
        # A page that failed halfway has not come to its own `ei lab down`.
        labs = Path(self._environ["XDG_STATE_HOME"]) / "ei" / "lab"
        for lab in labs.iterdir() if labs.exists() else ():
            _ = stop_lab(name=lab.name, environ=self._environ)

    def _end_shell(self) -> None:
        # An idle shell ends with its input. One that still runs a command is ended with it.
        for stream in (self._shell.stdin, self._shell.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            _ = self._shell.wait(timeout=0.5)
        # Neither does what a page that failed left in the background end by itself.
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        _ = self._shell.wait()
