"""The process that tries one module: `python -m ei.conform.judge PARENT WORDS FOLDER SEED EVENTS`.

It reads the folder, imports what it needs, and closes its jail behind itself; only then the module
runs. How the jail stands it says on the pipe WORDS; what it found is on its standard output, or why
it found nothing. A last argument `trusted` lets a stranger's module run in a jail with a gap.
"""

import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from ei.conform.deliveries import load_delivery
from ei.conform.frames import STAGES
from ei.conform.recorded import read_files
from ei.conform.trying import Tried, try_module
from ei.errors import EiError
from ei.runtime.cutting import Cutter
from ei.runtime.jail import LAYERS, OF_OURS, check_closed, close_jail
from ei.runtime.loader import ReadService, is_ours, package_of, read_service
from ei.runtime.modules import Sources, preload, read_sources
from ei.runtime.mortality import die_with_parent
from ei.runtime.rehearsal import LIMIT_S
from ei.runtime.voices import Jailed, say
from ei.runtime.worker import limit_resources, memory_limit_bytes, warm
from ei.sdk.tiers import MIB

TRUSTED = "trusted"

START_S = 3_600.0
CPU_S = 300
"""Of CPU time in all: then the kernel ends it, whatever it does."""

RECORDS_BYTES = 512 * MIB
"""Of memory for what is taken down, beside what a worker of the module may have."""

MAX_ANSWER_BYTES = 64 * MIB
"""Of what it writes to a file: its answer, and its standard error."""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """Why there is no certificate.

    Attributes:
        kind: Name of the error, of `ei.errors`.
        said: What is wrong.
        remedy: What to do; may be empty.
    """

    kind: str
    said: str
    remedy: str


class Judged(msgspec.Struct, frozen=True, tag="judged"):
    """There is one."""

    tried: Tried


def main(words: list[str]) -> int:
    """Try the module; return the exit code."""
    parent, writer, folder, seed, events, *more = words
    die_with_parent(int(parent))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_ANSWER_BYTES, MAX_ANSWER_BYTES))
    answer: Judged | Refusal
    try:
        tried = _try(
            Path(folder).resolve(),
            int(writer),
            seed=int(seed),
            events=int(events),
            is_trusted=TRUSTED in more,
        )
        answer = Judged(tried)
    except EiError as error:
        answer = Refusal(type(error).__name__, str(error), error.remedy)
    _ = sys.stdout.buffer.write(msgspec.msgpack.encode(answer))
    return 0


def _try(folder: Path, writer: int, *, seed: int, events: int, is_trusted: bool) -> Tried:
    """Open what is needed, close the jail, try the module."""
    is_one_of_ours = is_ours(folder)
    read, files = read_service(folder), read_files(folder)
    limit_resources(memory_limit_bytes(read.manifest) + RECORDS_BYTES)
    _import_all(read)
    sources: Sources = {} if read.code is not None else read_sources(folder)
    cutter = Cutter(LIMIT_S, start_s=START_S)
    cutter.arm()
    jail = close_jail(OF_OURS if is_one_of_ours else LAYERS)
    say(writer, Jailed(jail))
    os.close(writer)
    if not is_one_of_ours and not is_trusted:
        check_closed(jail, str(folder), trusting="say so: ei module conform --trusted")
    loaded = replace(read.load(), sources=sources)
    return try_module(loaded, files, seed=seed, events=events, watch=cutter.begin)


def _import_all(read: ReadService) -> None:
    """Import what its files import, those of our own as well when they are run afresh."""
    _ = load_delivery()
    read.preload()
    warm(read.manifest.libraries)
    if is_ours(read.folder) and read.code is None:
        sources = read_sources(read.folder)
        preload(sources, read.folder.name, read.manifest.libraries)
        if STAGES in sources:
            preload({STAGES: f"import {package_of(read.folder)}.{STAGES}"}, read.folder.name, ())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
