"""Signals to this process reach another, and nobody else."""

import os
import queue
import signal

from ei.ways.signals import passed_on


def test_a_signal_is_passed_on_and_interrupts_nothing() -> None:
    got = queue.SimpleQueue[signal.Signals]()
    with passed_on(got.put):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), number)

            assert got.get(timeout=5) == number


def test_afterwards_they_are_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with passed_on(lambda _number: None):
        pass

    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
