"""A process that dies with its parent, whatever kills that."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies.

    The signal is sent when the parent *thread* ends: no use to programs that fork from one.

    Args:
        parent: Process id of the parent as it knows itself: one that died before this call is
            noticed.

    Raises:
        OSError: the kernel refused.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
