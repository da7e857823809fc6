"""The process that certifies one module: `python -m ei.conform.judge PARENT FOLDER SEED EVENTS`.

Its one line on stdout is the certificate, or why there is none.
"""

import os
import resource
import sys
from pathlib import Path

import msgspec

from ei.conform.certificate import Certificate
from ei.errors import EiError
from ei.runtime.cutting import Cutter
from ei.runtime.mortality import die_with_parent

LIMIT_S = 1.0
"""Of CPU time for one event. The worker keeps to the module's own limit; this one is for what never
ends."""

START_S = 3_600.0
CPU_S = 300
"""Of CPU time in all: then the kernel ends it, whatever it does."""


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

    certificate: Certificate


def main(words: list[str]) -> int:
    """Certify; return the exit code."""
    from ei.conform.certifying import certify  # noqa: PLC0415 what it imports may fail, and is said

    parent, folder, seed, events = words
    die_with_parent(int(parent))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    cutter = Cutter(LIMIT_S, start_s=START_S)
    cutter.arm()
    answer: Judged | Refusal
    try:
        certificate = certify(
            Path(folder),
            seed=int(seed),
            events=int(events),
            environ=os.environ,
            watch=cutter.begin,
        )
        answer = Judged(certificate)
    except EiError as error:
        answer = Refusal(type(error).__name__, str(error), error.remedy)
    _ = sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
