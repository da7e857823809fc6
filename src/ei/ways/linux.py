"""Calls of Linux that Python 3.11 has no name for: namespaces, mounts and capabilities."""

import ctypes
import os
import struct
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_PRIVATE_REC = 0x40000 | 0x4000
PR_CAP_AMBIENT = 47
RAISE, CLEAR_ALL = 2, 4
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13
CAPABILITY_VERSION_3 = 0x20080522


def unshare(flags: int) -> None:
    """Put this thread into new namespaces.

    Raises:
        OSError: the system refuses.
    """
    _call("unshare", flags)


def make_mounts_private() -> None:
    """Have no mount of this process seen outside of its namespace, from now on.

    Raises:
        OSError: the system refuses.
    """
    _call("mount", None, b"/", None, MS_PRIVATE_REC, None)


def bind_mount(source: Path, place: Path) -> None:
    """Let a file be seen at the place of another.

    Raises:
        OSError: the system refuses.
    """
    _call("mount", os.fsencode(source), os.fsencode(place), None, MS_BIND, None)


def keep_ambient() -> None:
    """Let programs that this process starts administer its network, though it is not root.

    Raises:
        OSError: the system refuses.
    """
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    sets = ctypes.create_string_buffer(24)
    _call("capget", header, sets)
    effective, permitted, _, *high = struct.unpack("6I", sets.raw)
    wanted = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW
    _call("capset", header, struct.pack("6I", effective, permitted, wanted, *high))
    for capability in (CAP_NET_ADMIN, CAP_NET_RAW):
        _call("prctl", PR_CAP_AMBIENT, RAISE, capability, 0, 0)


def drop_ambient() -> None:
    """Take that back.

    Raises:
        OSError: the system refuses.
    """
    _call("prctl", PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)


def _call(function: str, *arguments: object) -> None:
    """Call a function of the C library that returns 0, or -1 and says why in errno."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
