"""Tells the service manager, systemd as a rule, how a daemon is; without one, nobody.

Source: sd_notify(3). One datagram of `NAME=value` lines goes to the socket that `NOTIFY_SOCKET`
names; `@` at its start means Linux's abstract names. What the manager does not take is lost: a
daemon must not fail because somebody does not listen.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class ServiceManager:
    """Whoever started this process.

    Args:
        environ: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` of the process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._socket = environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        limit_us = environ.get("WATCHDOG_USEC", "")
        is_meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._limit_us = int(limit_us) if limit_us.isdigit() and is_meant else 0

    @property
    def alive_every_s(self) -> float | None:
        """How often to say `WATCHDOG=1`: twice in the time given; `None` when nobody waits."""
        return self._limit_us / 2e6 if self._socket and self._limit_us else None

    def say(self, *lines: str) -> None:
        """Send lines such as `READY=1`."""
        if not self._socket:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sending,
        ):
            _ = sending.sendto("\n".join(lines).encode(), self._socket)
