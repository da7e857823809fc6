"""Namespaces: a network without links, no one else's System V memory, and a root with nothing."""

import os
from contextlib import suppress
from pathlib import Path

from ei.runtime.jail.system import call, mount, prctl, unmount, unshare

_MOUNTS, _NAMES, _MESSAGES, _USERS, _NETWORK = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x40000000,
)  # fmt: skip
_BIND, _RECURSIVE, _PRIVATE, _REMOUNT = 0x1000, 0x4000, 0x40000, 0x20
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8
_DETACH = 2
"""From linux/sched.h and linux/mount.h."""

_NO_NEW_PRIVILEGES, _DROP_BOUND, _AMBIENT, _CLEAR_ALL = 38, 24, 47, 4
_CAPABILITIES_VERSION = 0x20080522
_MOST_CAPABILITIES = 64

_PLACE = b"/dev"
"""A folder that every Linux has: over it, as this process alone sees it, the new root is made."""


def enter(folder: Path | None) -> None:
    """Leave network, IPC and mounts of the system; of its files, `folder` alone is still there.

    Raises:
        OSError: The kernel refuses: namespaces of users are forbidden, or switched off.
    """
    user, group = os.geteuid(), os.getegid()
    unshare(_USERS | _MOUNTS | _NAMES | _MESSAGES | _NETWORK)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    _empty_root(folder)


def drop_capabilities() -> None:
    """Give up all capabilities, and every way to get some.

    Raises:
        OSError: The kernel refused.
    """
    _ = prctl(_NO_NEW_PRIVILEGES, 1)
    with suppress(OSError):  # there are no more of them, or we have none that lets us
        for capability in range(_MOST_CAPABILITIES):
            _ = prctl(_DROP_BOUND, capability)
    with suppress(OSError):
        _ = prctl(_AMBIENT, _CLEAR_ALL)
    header = _CAPABILITIES_VERSION.to_bytes(4, "little") + bytes(4)
    _ = call("capset", header, bytes(24))


def _empty_root(folder: Path | None) -> None:
    mount(b"", b"/", b"", _RECURSIVE | _PRIVATE)
    flags = _NO_SUID | _NO_DEVICES | _NO_PROGRAMS
    mount(b"nothing", _PLACE, b"tmpfs", flags, b"size=64k,mode=755")
    if folder is not None:
        kept = os.fsencode(folder.resolve())
        os.makedirs(_PLACE + kept, mode=0o700)  # noqa: PTH103 bytes
        mount(kept, _PLACE + kept, b"", _BIND)
    os.chdir(_PLACE)
    _ = call("pivot_root", b".", b".")
    unmount(b".", _DETACH)
    os.chdir("/")
    mount(b"", b"/", b"", _REMOUNT | _BIND | _READ_ONLY | flags)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _ = os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
