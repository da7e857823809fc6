"""What processes take of the system."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ei.lab.use import Use, use_of

KIB = 1 << 10
MIB = 1 << 20


def test_what_processes_use_is_read_and_those_that_have_ended_use_nothing() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        both = use_of([os.getpid(), child.pid])
    finally:
        child.kill()
        _ = child.wait()

    assert both.processes == 2
    assert both.memory_kib == sum(both.memory_of.values()) > 1_000
    assert set(both.memory_of) == {os.getpid(), child.pid}
    assert both.files > 3
    assert use_of([child.pid]) == Use(0, 0, 0, 0)


def test_memory_counts_as_much_before_a_fork_has_copied_it_as_after() -> None:
    program = """
import os, signal
from ei.lab.use import use_of
kept = os.urandom(16 << 20)
child = os.fork()
if not child:
    signal.pause()
try:
    print(*(use_of([pid]).memory_kib for pid in (os.getpid(), child)))
finally:
    os.kill(child, signal.SIGKILL)
"""

    parent_kib, child_kib = map(int, _said_by(program).split())

    assert child_kib > 16 * KIB
    assert child_kib == pytest.approx(parent_kib, rel=0.05)


def test_pages_of_files_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "library"
    _ = path.write_bytes(bytes(8 * MIB))
    before_kib = use_of([os.getpid()]).memory_kib
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == 0

        assert use_of([os.getpid()]).memory_kib - before_kib < 1_000


def _said_by(program: str) -> str:
    return subprocess.check_output([sys.executable, "-c", program], text=True)
