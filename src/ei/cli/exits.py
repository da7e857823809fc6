"""What a command's exit code says. Scripts rely on these numbers; none ever changes its meaning."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    NEGATIVE = 1
    """It ran, and the answer is no: no reply, a check failed, nothing found."""
    ERROR = 2
    """Wrong usage, or an error of no other kind."""
    UNREACHABLE = 3
    """No daemon answered: it is not running, or not there."""
    REFUSED = 4
    """A permission or a policy does not allow it."""
    TIMEOUT = 5
    """There was no answer within the deadline."""
    CONFLICT = 6
    """Something is in the way: it exists already, is in use, or is not in the right state."""
    INTEGRITY = 7
    """A signature, seal or checksum does not verify."""
    LIMIT = 8
    """A limit is exceeded, or a disk is full."""
    HUNG_UP = 129
    """SIGHUP: its terminal was closed."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""
