"""Calls of Linux that Python has no words for: by number, with their errors as `OSError`."""

import ctypes
import os
import platform
from typing import Final

MACHINE: Final = platform.machine()

_NUMBERS: Final = {
    # name: (x86_64, aarch64), from the kernel's tables; None where there is no such call
    "brk": (12, 214),
    "capset": (126, 91),
    "clock_gettime": (228, 113),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fcntl": (72, 25),
    "fdatasync": (75, 83),
    "fstat": (5, 80),
    "fsync": (74, 82),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "landlock_add_rule": (445, 445),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "newfstatat": (262, 79),
    "openat": (257, 56),
    "pivot_root": (155, 41),
    "poll": (7, None),
    "ppoll": (271, 73),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "read": (0, 63),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "seccomp": (317, 277),
    "sendto": (44, 206),
    "time": (201, None),
    "timer_create": (222, 107),
    "timer_settime": (223, 110),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "write": (1, 64),
    "writev": (20, 66),
}

_library = ctypes.CDLL(None, use_errno=True)
_library.syscall.restype = ctypes.c_long

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None


def number_of(name: str, machine: str = MACHINE) -> int | None:
    """Return the number of a system call; `None` where there is no such call, or no such machine.

    Args:
        name: As in the kernel's tables.
        machine: As `uname -m` says it.
    """
    numbers = _NUMBERS[name]
    return {"x86_64": numbers[0], "aarch64": numbers[1]}.get(machine)


def call(name: str, *arguments: Argument) -> int:
    """Make a system call.

    Raises:
        OSError: The kernel refused, or has no such call.
    """
    number = number_of(name)
    if number is None:
        raise OSError(38, f"{name}: no such call on {MACHINE}")
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(name, _library.syscall(ctypes.c_long(number), *given))


def prctl(option: int, *arguments: int) -> int:
    """Change something of this process, as prctl does; absent arguments are 0.

    Raises:
        OSError: The kernel refused.
    """
    given = [ctypes.c_ulong(one) for one in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked("prctl", _library.prctl(option, *given))


def unshare(flags: int) -> None:
    """Leave namespaces of others.

    Raises:
        OSError: The kernel refused.
    """
    _ = _checked("unshare", _library.unshare(flags))


def mount(source: bytes, target: bytes, kind: bytes, flags: int, options: bytes = b"") -> None:
    """Put a file system at a place.

    Raises:
        OSError: The kernel refused.
    """
    _ = _checked("mount", _library.mount(source, target, kind, ctypes.c_ulong(flags), options))


def unmount(target: bytes, flags: int) -> None:
    """Take a file system from its place.

    Raises:
        OSError: The kernel refused.
    """
    _ = _checked("umount2", _library.umount2(target, flags))


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


class _Action(ctypes.Structure):
    """Of sigaction(3), as the C library has it on 64-bit Linux."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_RESET_AFTER_ONE = 0x80000000
"""From signal.h: SA_RESETHAND."""

_HARMLESS = ctypes.cast(_library.getpid, ctypes.c_void_p).value
"""What is called for a signal that is to be taken once: it may be at any time, and does nothing."""


def take_once(number: int) -> None:
    """Take the next such signal without a consequence; the one after it has its usual one.

    Raises:
        OSError: The kernel refused.
    """
    action = _Action(_HARMLESS, (ctypes.c_ulong * 16)(), _RESET_AFTER_ONE - 2**32, None)
    _ = _checked("sigaction", _library.sigaction(number, ctypes.byref(action), None))
