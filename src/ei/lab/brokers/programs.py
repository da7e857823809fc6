"""Processes of the scenario that are told things and say things in JSON lines."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO, TypeVar

import msgspec

from ei.errors import DeadlineError, EiError, LocalError

AnswerT = TypeVar("AnswerT")
Say = Callable[[object], None]
Role = Callable[[TextIO, Say], object]
LINE_BYTES = 64 * 1024 * 1024
ANSWER_LIMIT_S = 60.0
END_LIMIT_S = 5.0


class Program:
    """One process. Made by `started`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(
        self, message: object, answer: type[AnswerT], *, limit_s: float = ANSWER_LIMIT_S
    ) -> AnswerT:
        """Say one line and return the next.

        Raises:
            LocalError: It ended, or says what went wrong.
            DeadlineError: It says nothing in time.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LocalError(f"{self._name} cannot be asked")
        stdin.write(msgspec.json.encode(message) + b"\n")
        try:
            async with asyncio.timeout(limit_s):
                line = await stdout.readline()
        except TimeoutError as error:
            raise DeadlineError(f"{self._name} has not answered in {limit_s:g} s") from error
        if not line:
            raise LocalError(f"{self._name} ended with {await self._process.wait()}")
        said = msgspec.json.decode(line, type=dict[str, object])
        if "error" in said:
            raise LocalError(f"{self._name}: {said['error']}")
        return msgspec.convert(said, answer)

    async def end(self) -> None:
        """End it: it has been told all."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(END_LIMIT_S):
                _ = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            _ = await self._process.wait()


class Ready(msgspec.Struct, frozen=True):
    """The first answer."""

    ready: bool = True


@asynccontextmanager
async def started(
    module: str, *words: str, order: object, environ: Mapping[str, str], folder: Path
) -> AsyncGenerator[Program]:
    """Run `python -m MODULE WORDS` until the block ends; it is ready for its order.

    Args:
        folder: Where it says what is wrong, in a file named after the module.
    """
    name = " ".join((module.rpartition(".")[2], *words))
    with (folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *words,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            env=environ, limit=LINE_BYTES,
        )  # fmt: skip
    program = Program(name, process)
    try:
        _ = await program.ask(order, Ready)
        yield program
    finally:
        await program.end()


def run_role(role: str, roles: Mapping[str, Role]) -> int:
    """Be one of these programs: its order and what it is asked come by the standard input."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    if role not in roles:
        say({"error": f"role {role!r}: {', '.join(roles)} allowed"})
        return 2
    try:
        _ = roles[role](sys.stdin, say)
    except (OSError, EiError) as error:
        say({"error": str(error)})
        return 1
    return 0
