"""What targets in Python hold to: no error but ours, no input that takes long, nothing stays."""

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import atheris

Target = Callable[[bytes], None]
LIMIT_MS = 10.0
TRIES = 3
"""A slow input is tried again: what else the machine does is not its fault."""
ROUND = 5_000
BLOCKS = 50_000
"""Caches fill, once. A leak of one object an input is more within the first minute."""


IS_PLAIN = "EI_FUZZ_PLAIN" in os.environ
"""This process only says how long the input in a file takes as users run it."""


class SlowInputError(Exception):
    """An input takes longer than any may."""


class GrowthError(Exception):
    """Inputs that are done with have left something behind."""


def followed(*packages: str) -> AbstractContextManager[None]:
    """Have libFuzzer see where inputs go in what is imported: that takes 10 to 30 times as long."""
    return nullcontext() if IS_PLAIN else atheris.instrument_imports(include=list(packages))


def fuzz(target: Target, *, limit_ms: float = LIMIT_MS) -> None:
    """Run `target` on what libFuzzer makes up; arguments are libFuzzer's."""
    if IS_PLAIN:
        data = Path(sys.argv[1]).read_bytes()
        _ = sys.stdout.write(f"{_fastest_ms(target, data)}\n")
        return
    growth = _Growth()

    def one(data: bytes) -> None:
        if _time_ms(target, data) > limit_ms:
            fastest = _fastest_ms(target, data)
            if fastest > limit_ms and (fastest := _plain_ms(data)) > limit_ms:
                raise SlowInputError(
                    f"{fastest:.1f} ms for {len(data)} B, allowed are {limit_ms} ms"
                )
        growth.note()

    _ = atheris.Setup(sys.argv, one)
    atheris.Fuzz()


def _plain_ms(data: bytes) -> float:
    """Return how long an input takes where nobody follows it."""
    with tempfile.NamedTemporaryFile() as file:
        _ = file.write(data)
        file.flush()
        command = [sys.executable, sys.argv[0], file.name]
        environ = {**os.environ, "EI_FUZZ_PLAIN": "1"}
        return float(subprocess.check_output(command, env=environ))


def _fastest_ms(target: Target, data: bytes) -> float:
    return min(_time_ms(target, data) for _ in range(TRIES))


def _time_ms(target: Target, data: bytes) -> float:
    began_ns = time.thread_time_ns()
    target(data)
    return (time.thread_time_ns() - began_ns) / 1e6


class _Growth:
    """Counts blocks of memory that Python objects take, after each round of inputs."""

    def __init__(self) -> None:
        self._inputs = 0
        self._first = 0

    def note(self) -> None:
        self._inputs += 1
        if self._inputs % ROUND:
            return
        _ = gc.collect()
        blocks = sys.getallocatedblocks()
        if not self._first:
            self._first = blocks
        elif blocks > self._first + BLOCKS:
            raise GrowthError(f"{blocks - self._first} blocks more after {self._inputs} inputs")
