"""How many files and sockets this program may have open: as many as the system lets it."""

import resource


def open_as_many_as_allowed() -> int:
    """Raise the limit that programs begin with to the one they may not exceed; return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
