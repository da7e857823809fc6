"""A daemon dies with whoever started it, so that a lab leaves nothing behind.

Two ways, since each has a hole: the kernel's parent-death signal (lost when the parent's *thread*
outlives it, or across a change of user), and the end of file on a pipe that only the supervisor
holds open (which also works for grandchildren).
"""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


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


def is_inherited(descriptor: int) -> bool:
    """Return whether `descriptor` is open here."""
    try:
        _ = os.fstat(descriptor)
    except OSError:
        return False
    return True
