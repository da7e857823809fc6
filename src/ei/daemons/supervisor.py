"""A daemon dies with whoever started it, so that a lab leaves nothing behind.

Two ways, each with a hole that the other has not. The end of a pipe that only the supervisor
holds open also works for grandchildren, but needs a loop that runs. The kernel's signal for the
death of a parent needs nothing, but is sent when the parent *thread* ends: no use to programs that
start daemons from one.
"""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable

from ei.errors import LocalError

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def watch_supervisor(descriptor: int, on_gone: Callable[[], object]) -> None:
    """Call `on_gone` on the running loop once the supervisor is gone.

    Args:
        descriptor: Reading end of the pipe.

    Raises:
        LocalError: nothing that can be read was handed down under this number.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(descriptor, 4_096):
            _ = loop.remove_reader(descriptor)
            _ = on_gone()

    try:
        loop.add_reader(descriptor, read)
    except OSError as error:
        raise LocalError(f"descriptor {descriptor} of the supervisor: {error.strerror}") from error


def die_with_parent(parent: int, *, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send `with_signal` to this process when its parent dies.

    Args:
        parent: Process id of the parent as it knows itself: one that died before this call is
            noticed.

    Raises:
        OSError: the kernel refused.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), with_signal)
