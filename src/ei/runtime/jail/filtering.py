"""Which system calls a jailed worker may make, as a program for the kernel's seccomp filter.

Pure: a list in, the bytes of a classic BPF program out. What is not listed fails with EPERM, so
that a service that tries it gets an error and the node a reason; calls of another machine's table
(i386 on x86_64) end the process.

    load the machine ── another? ── kill
    load the number
    number == a? ── conditions hold? ── allow, or else refuse
    number == b? ── ...
    refuse
"""

import errno
import signal
import struct
from collections.abc import Mapping, Sequence
from itertools import chain

import msgspec

from ei.runtime.jail.clock import COARSE
from ei.runtime.jail.system import number_of

AUDIT_ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""From linux/audit.h."""

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
KILL = 0x80000000
"""From linux/seccomp.h: what becomes of a call."""

_LOAD, _MASK, _IS, _RETURN = 0x20, 0x54, 0x15, 0x06
"""From linux/bpf_common.h: load a word, and it with a mask, compare, be done."""

_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
"""Offsets in struct seccomp_data."""

PROT_EXEC = 4
FILE_LOCKS = (5, 6, 7, 36, 37, 38)
"""fcntl(2): F_GETLK, F_SETLK, F_SETLKW, and those of open file descriptions."""
FLAGS_OF_DESCRIPTORS = (1, 2, 3)
"""fcntl(2): F_GETFD, F_SETFD, F_GETFL. Not F_SETOWN and the like: they send signals."""


class Lacks(msgspec.Struct, frozen=True):
    """An argument (0 to 5) that has none of these bits, of the lower 32."""

    argument: int
    bits: int


class IsOneOf(msgspec.Struct, frozen=True):
    """An argument whose lower 32 bits are one of these."""

    argument: int
    values: tuple[int, ...]


class IsNull(msgspec.Struct, frozen=True):
    """An argument that is a null pointer."""

    argument: int


Condition = Lacks | IsOneOf | IsNull
Rules = Mapping[str, Sequence[Condition]]

WORKER: Rules = {
    # Memory: never to be executed, so no code comes in beside what is loaded.
    "brk": (),
    "madvise": (),
    "mmap": (Lacks(2, PROT_EXEC),),
    "mprotect": (Lacks(2, PROT_EXEC),),
    "mremap": (),
    "munmap": (),
    # What is open: the sockets of the datapath, the store.
    "close": (),
    "fcntl": (IsOneOf(1, (*FILE_LOCKS, *FLAGS_OF_DESCRIPTORS)),),
    "fdatasync": (),
    "fstat": (),
    "fsync": (),
    "ftruncate": (),
    "lseek": (),
    "newfstatat": (IsOneOf(3, (0x1000,)),),  # AT_EMPTY_PATH: how glibc says fstat
    "poll": (),
    "ppoll": (),
    "pread64": (),
    "pwrite64": (),
    "read": (),
    "readv": (),
    "recvfrom": (),
    "sendto": (IsNull(4),),  # to whom it is connected, and nobody else
    "write": (),
    "writev": (),
    # The process itself.
    "clock_gettime": (IsOneOf(0, COARSE),),
    "exit": (),
    "exit_group": (),
    "futex": (),
    "getpid": (),
    "getrandom": (),
    "gettid": (),
    "restart_syscall": (),
    "rt_sigaction": (IsOneOf(0, (signal.SIGXCPU,)),),  # see ei.runtime.cutting
    "rt_sigreturn": (),
    "sched_yield": (),
    "timer_settime": (),
}
"""What a worker needs once its service runs."""

FOLDER: Rules = {"openat": (), "rename": (), "renameat": (), "renameat2": (), "unlink": (),
                 "unlinkat": (), "newfstatat": ()}  # fmt: skip
"""Besides, for a replica, whose log is files in one folder; Landlock holds it there."""

FINE = (0, 1, 4, 7)
"""From linux/time.h: CLOCK_REALTIME, _MONOTONIC, _MONOTONIC_RAW and _BOOTTIME."""

CPU_TIME = 3
"""From linux/time.h: CLOCK_THREAD_CPUTIME_ID, for a worker that is watched."""


def clocks(*more: Sequence[int]) -> Rules:
    """Return the rule that allows the coarse clocks, and these besides."""
    return {"clock_gettime": (IsOneOf(0, (*COARSE, *chain(*more))),)}


TIME: Rules = {**clocks(FINE), "gettimeofday": (), "time": ()}
"""Besides, for who has fine clocks: where the kernel's code in a process cannot read a counter,
as with the clock sources hpet and xen, it makes these calls."""


def program(rules: Rules, machine: str) -> bytes:
    """Return a filter that allows these calls alone, eight bytes for each instruction.

    Args:
        rules: By name of the call: what must hold of its arguments.
        machine: As `uname -m` says it.

    Raises:
        KeyError: No numbers are known for this machine.
    """
    code = [
        _code(_LOAD, _MACHINE_AT),
        _code(_IS, AUDIT_ARCHES[machine], skip_true=1),
        _code(_RETURN, KILL),
        _code(_LOAD, _NUMBER_AT),
    ]
    for name, conditions in rules.items():
        number = number_of(name, machine)
        if number is not None:
            body = _body(conditions)
            code += [_code(_IS, number, skip_false=len(body)), *body]
    return b"".join([*code, _code(_RETURN, REFUSE)])


def _body(conditions: Sequence[Condition]) -> list[bytes]:
    """Return what decides about one call: it always returns."""
    code: list[bytes] = []
    for condition in conditions:
        match condition:
            case Lacks(argument=argument, bits=bits):
                code += [_low(argument), _code(_MASK, bits), _code(_IS, 0, skip_true=1)]
            case IsOneOf(argument=argument, values=values):
                code += [_low(argument)]
                for left, value in enumerate(reversed(values)):
                    code.insert(len(code) - left, _code(_IS, value, skip_true=left + 1))
            case IsNull(argument=argument):
                code += [_low(argument), _code(_IS, 0, skip_true=1), _code(_RETURN, REFUSE)]
                code += [_high(argument), _code(_IS, 0, skip_true=1)]
        code.append(_code(_RETURN, REFUSE))
    return [*code, _code(_RETURN, ALLOW)]


def _low(argument: int) -> bytes:
    return _code(_LOAD, _ARGUMENTS_AT + 8 * argument)


def _high(argument: int) -> bytes:
    return _code(_LOAD, _ARGUMENTS_AT + 8 * argument + 4)


def _code(operation: int, value: int, *, skip_true: int = 0, skip_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, skip_true, skip_false, value)
