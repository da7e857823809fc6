"""Cores that stay awake."""

import os
from pathlib import Path

import pytest
from tests.bench.conftest import wait_until

from ei.bench.awake import awake_cores
from ei.bench.children import Child, python

TICKS_FIELD, POLICY_FIELD = 13, 40
"""Of /proc/PID/stat: ticks in user mode, and the scheduling policy (see proc(5))."""


def stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().split()


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for path in tasks for pid in path.read_text().split()]


@pytest.mark.slow
def test_each_core_has_a_process_of_the_lowest_priority_until_the_end() -> None:
    others = set(children())

    with awake_cores():
        own = [pid for pid in children() if pid not in others]

        assert len(own) == len(os.sched_getaffinity(0))
        assert {stat(pid)[POLICY_FIELD] for pid in own} == {str(os.SCHED_IDLE)}

    assert not set(children()) & set(own)


@pytest.mark.slow
def test_it_uses_what_nobody_else_wants_and_ends_with_its_input(tmp_path: Path) -> None:
    with Child("awake", python("ei.bench.awake"), cpu=0, log=tmp_path / "log") as child:
        child.hear(deadline_s=5.0)
        pid = child.pid

        wait_until(lambda: int(stat(pid)[TICKS_FIELD]) > 20)

        assert child.end() == 0
