"""`make leftovers`: again and again a lab is started, something in it killed at random, and ended.

    python -m ei.lab.leftovers [ROUNDS] [SEED]

Whatever dies, `down` leaves no process, socket, file or network namespace behind: processes by
their mark, sockets by the subnet and folder of the lab, files by its folder, namespaces by the
device in them. In a third of the rounds `up` itself is killed while it starts the lab. Where
namespaces are allowed, every other lab is made of them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import msgspec

from ei.errors import DeniedError, EiError
from ei.lab.catalogue import find_topology
from ei.lab.census import (
    Leftovers,
    leftovers,
    marked_processes,
    signal_process,
)
from ei.lab.lab import REAL_BACKENDS, RealBackend
from ei.lab.namespaces import check_allowed
from ei.lab.processes import ask_lab, start_lab, stop_lab
from ei.lab.run_folder import LabFile, RunFolder, run_folder

ROUNDS = 50
NAME = "leftovers"
TOPOLOGY = "threedomains"
UP_LIMIT_S = 2.0
"""A lab is up after some 1.5 s: until then `up` is killed at any moment of its work."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what was killed, what had to be killed by `down`, and what was left."""

    killed: str
    left: Leftovers
    seconds: float


def run_round(
    random: Random, *, environ: Mapping[str, str], backend: RealBackend = "processes"
) -> Round:
    """Start a lab, kill something, end it."""
    began_s = time.monotonic()
    folder = run_folder(NAME, environ)
    if random.random() < 1 / 3:
        lab, killed = _up_and_kill_up(random, folder, environ, backend)
    else:
        lab = start_lab(find_topology(TOPOLOGY), name=NAME, environ=environ, backend=backend)
        killed = _kill_any(random, lab, environ)
    _ = stop_lab(name=NAME, environ=environ)
    if lab is None:
        # Nothing was started before the folder says which lab it is.
        left = Leftovers(files=(str(folder.path),) if folder.path.exists() else ())
    else:
        subnet = lab.subnet if lab.backend == "processes" else None
        left = leftovers(lab.run_id, subnet=subnet, folder=folder.path)
    return Round(killed, left, time.monotonic() - began_s)


def _kill_any(random: Random, lab: LabFile, environ: Mapping[str, str]) -> str:
    status = msgspec.convert(ask_lab("status", name=NAME, environ=environ), _Status)
    daemons = {daemon.pid: daemon.name for daemon in status.daemons}
    pid = random.choice(marked_processes(lab.run_id))
    _ = signal_process(pid, lab.run_id, signal.SIGKILL)
    # The others are the supervisor, the stem, and the nursery and workers of each node.
    return daemons.get(pid, "a process behind the daemons")


class _Daemon(msgspec.Struct, frozen=True):
    name: str
    pid: int


class _Status(msgspec.Struct, frozen=True):
    daemons: tuple[_Daemon, ...]


def _up_and_kill_up(
    random: Random, folder: RunFolder, environ: Mapping[str, str], backend: RealBackend
) -> tuple[LabFile | None, str]:
    """Kill `up` at a random moment; return the lab it had begun, if it had."""
    program = (
        "from ei.lab.catalogue import find_topology; from ei.lab.processes import start_lab; "
        f"start_lab(find_topology({TOPOLOGY!r}), name={NAME!r}, backend={backend!r})"
    )
    up = subprocess.Popen([sys.executable, "-c", program], env=dict(environ))
    after_s = random.uniform(0.0, UP_LIMIT_S)
    with suppress(subprocess.TimeoutExpired):
        _ = up.wait(after_s)
    up.kill()
    _ = up.wait()
    lab = None
    with suppress(EiError):
        lab = folder.read()
    return lab, f"up after {after_s:.2f} s"


def main(arguments: list[str]) -> int:
    """Run all rounds; return 1 if anything was left."""
    rounds = int(arguments[0]) if arguments else ROUNDS
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    random = Random(seed)
    total = 0
    backends = REAL_BACKENDS if _has_namespaces() else REAL_BACKENDS[:1]
    for number in range(1, rounds + 1):
        backend = backends[number % len(backends)]
        each = run_round(random, environ=os.environ, backend=backend)
        total += each.left.count
        counts = tuple(each.left.counts.values())
        _ = sys.stderr.write(
            f"{number:3} of {rounds}: {backend}, killed {each.killed}; left {counts} "
            f"in {each.seconds:.1f} s\n"
        )
        for thing in each.left.things:
            _ = sys.stderr.write(f"      left: {thing}\n")
    _ = sys.stdout.write(
        f"{rounds} rounds of {', '.join(backends)} with seed {seed}: "
        f"{total} processes, sockets, files, namespaces left\n"
    )
    return 1 if total else 0


def _has_namespaces() -> bool:
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        _ = sys.stderr.write(f"{error}. {error.remedy}\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
