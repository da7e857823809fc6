"""A daemon dies with whoever started it, so that a lab leaves nothing behind.

The end of a pipe that only the supervisor holds open also works for grandchildren, and whichever
thread of the supervisor started the daemon, but needs a loop that runs. `ei.runtime.mortality` has
the other way, with the opposite holes.
"""

import asyncio
import os
from collections.abc import Callable

from ei.errors import LocalError


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
