"""Landlock: files, ports and other processes out of reach, from now on and for good.

What is open already stays open: a worker has its sockets and its store by then.
"""

import os
import struct
from pathlib import Path

from ei.runtime.jail.system import call

_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights on files there are, by the interface version that brought the last of them."""

_CONNECT_AND_BIND, _SIGNALS_AND_ABSTRACT_SOCKETS = 0b11, 0b11
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_WRITE, _READ, _READ_FOLDER, _REMOVE, _MAKE, _TRUNCATE = 1, 2, 3, 5, 8, 14
_BITS_OF_FOLDER = (_WRITE, _READ, _READ_FOLDER, _REMOVE, _MAKE, _TRUNCATE)
"""From linux/landlock.h: what may be done to files in a folder that is excepted."""


def version() -> int:
    """Return the version of the kernel's interface.

    Raises:
        OSError: It has none, or none that is switched on.
    """
    return call("landlock_create_ruleset", None, 0, 1)


def restrict(folder: Path | None) -> None:
    """Deny this process all files but those in `folder`, TCP, and signals to other processes.

    Raises:
        OSError: The kernel refused, or has no Landlock.
    """
    has = version()
    rights = (1 << max(bits for since, bits in _FILE_RIGHTS.items() if since <= has)) - 1
    network = _CONNECT_AND_BIND if has >= _NETWORK_SINCE else 0
    scopes = _SIGNALS_AND_ABSTRACT_SOCKETS if has >= _SCOPES_SINCE else 0
    size = 24 if has >= _SCOPES_SINCE else 16 if has >= _NETWORK_SINCE else 8
    rules = call("landlock_create_ruleset", struct.pack("=QQQ", rights, network, scopes), size, 0)
    try:
        if folder is not None:
            _except(rules, folder, rights)
        _ = call("landlock_restrict_self", rules, 0)
    finally:
        os.close(rules)


def _except(rules: int, folder: Path, rights: int) -> None:
    allowed = sum(1 << bit for bit in _BITS_OF_FOLDER) & rights
    place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        _ = call("landlock_add_rule", rules, 1, struct.pack("=Qi", allowed, place), 0)
    finally:
        os.close(place)
