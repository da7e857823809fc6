"""The shell: has modules certified, each in a process of its own, one for each core at once."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ei import errors
from ei.conform.certificate import Certificate
from ei.conform.judge import Judged, Refusal
from ei.errors import EiError, ServiceError
from ei.runtime.children import how_it_ended

WITHIN_S = 600.0
_MODULE = "ei.conform.judge"

Outcome = Certificate | EiError
_ANSWERS: msgspec.json.Decoder[Judged | Refusal] = msgspec.json.Decoder(Judged | Refusal)


def certify_apart(
    folders: Sequence[Path], *, seed: int, events: int, environ: Mapping[str, str]
) -> Iterator[tuple[Path, Outcome]]:
    """Certify modules; yield each with its certificate, or why there is none, in their order.

    Args:
        folders: Of the modules.
        seed: Of what is drawn, unsigned 64 bits.
        events: How many are drawn.
        environ: Of the processes.
    """
    waiting = list(folders)
    running: list[subprocess.Popen[bytes]] = []
    try:
        for folder in folders:
            while waiting and len(running) < (os.cpu_count() or 1):
                command = [
                    sys.executable,
                    "-m",
                    _MODULE,
                    *map(str, (os.getpid(), waiting.pop(0), seed, events)),
                ]
                running.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environ))
            process = running.pop(0)
            try:
                said, _ = process.communicate(timeout=WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                said, _ = process.communicate()
            yield folder, _outcome_of(folder, process.returncode, said)
    finally:
        for process in running:
            process.kill()
            _ = process.communicate()


def _outcome_of(folder: Path, code: int, said: bytes) -> Outcome:
    try:
        answer = _ANSWERS.decode(said)
    except msgspec.MsgspecError:
        return ServiceError(
            f"{folder}: there is no certificate: its process ended: {how_it_ended(code)}",
            remedy="Run its own tests: ei module test. An event of it may never come to an end.",
        )
    if isinstance(answer, Judged):
        return answer.certificate
    kind: type[EiError] = getattr(errors, answer.kind, ServiceError)
    return kind(answer.said, remedy=answer.remedy)
