"""Signals to this process reach another, and nobody else."""

import signal
import subprocess
import sys

from ei.ways.signals import passed_on

# By itself: of a process with other threads, a signal may go to any of them.
PROGRAM = """
import os, queue, signal
from ei.ways.signals import passed_on

got = queue.SimpleQueue()
with passed_on(got.put):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        os.kill(os.getpid(), number)
        print(got.get(timeout=5).name)
"""


def test_a_signal_is_passed_on_and_interrupts_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=25, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["SIGINT", "SIGTERM", "SIGUSR1"]


def test_afterwards_they_are_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with passed_on(lambda _number: None):
        pass

    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
