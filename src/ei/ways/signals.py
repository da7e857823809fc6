"""Signals that are meant for a program which another process runs."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
FROM_TERMINAL = 0x80
"""SI_KERNEL: the terminal sends a signal to all processes of the job, the program too."""


@contextmanager
def passed_on(send: Callable[[signal.Signals], None]) -> Generator[None]:
    """Have signals to this process sent on, while the context lasts; none interrupts it.

    Threads that are started inside do not get them either. One that runs before may get one, which
    then interrupts.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    over = threading.Event()

    def pass_on() -> None:
        while True:
            got = signal.sigwaitinfo(SIGNALS)
            if over.is_set():
                return
            if got.si_code != FROM_TERMINAL:
                send(signal.Signals(got.si_signo))

    thread = threading.Thread(target=pass_on, name="ei signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.ident is not None:
            signal.pthread_kill(thread.ident, signal.SIGUSR2)
        thread.join()
        _ = signal.pthread_sigmask(signal.SIG_SETMASK, before)
