"""The time in a worker: as coarse as the kernel's tick, since nothing finer can be read there.

A module that can tell microseconds apart can tell what others do. seccomp alone cannot forbid that:
Linux gives the time without a call, by code of its own in every process (the vDSO) that reads the
processor's counter. So that code is replaced by calls for the time of the last tick, 1 to 10 ms
apart, of which the filter allows no others; and whoever reads the counter itself is ended.

Python and all libraries go on as ever, with coarse clocks: `time.monotonic` too.
"""

import ctypes
import os
import struct
from collections.abc import Iterator

from ei.runtime.jail.system import MACHINE, prctl

COARSE = (5, 6)
"""From linux/time.h: CLOCK_REALTIME_COARSE and CLOCK_MONOTONIC_COARSE, the fine ones plus 5."""

_SET_COUNTER, _COUNTER_ENDS = 26, 2
"""From linux/prctl.h: PR_SET_TSC, PR_TSC_SIGSEGV."""

_CODE_AT = 33
"""From linux/auxvec.h: AT_SYSINFO_EHDR."""

_HEADER_BYTES = 64
"""Of an ELF file; where its sections are is at 0x28, how long and how many at 0x3A."""

_READ_EXECUTE, _READ_WRITE_EXECUTE = 5, 7

_CODE = {
    "__vdso_clock_gettime": bytes.fromhex(
        "83ff01"  # cmp edi, 1          fine clocks: 0 and 1
        "7703"  # ja over
        "83c705"  # add edi, 5          their coarse ones
        "b8e4000000"  # mov eax, 228    clock_gettime
        "0f05"  # syscall
        "c3"  # ret
    ),
    "__vdso_gettimeofday": bytes.fromhex(
        "31c0"  # xor eax, eax
        "4885ff"  # test rdi, rdi
        "7423"  # je to the last ret
        "4889fe"  # mov rsi, rdi
        "bf05000000"  # mov edi, 5
        "b8e4000000"  # mov eax, 228
        "0f05"  # syscall
        "488b4608"  # mov rax, [rsi+8]  nanoseconds
        "31d2"  # xor edx, edx
        "b9e8030000"  # mov ecx, 1000
        "48f7f1"  # div rcx
        "48894608"  # mov [rsi+8], rax  microseconds
        "31c0"  # xor eax, eax
        "c3"  # ret
    ),
}
"""What is called in the place of the kernel's code, on x86_64."""


class BootClock:
    """A time that goes on while this machine sleeps, in hundredths of a second.

    Made while files can still be opened.
    """

    def __init__(self) -> None:
        self._uptime = os.open("/proc/uptime", os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> float:
        return float(os.pread(self._uptime, 64, 0).split()[0])


def coarsen() -> None:
    """Have coarse clocks alone, from now on and for good; needs the filter of calls besides.

    Raises:
        OSError: The kernel cannot do that on this machine.
    """
    if MACHINE != "x86_64":
        raise OSError(38, f"not on {MACHINE}")
    start, image = _image()
    library = ctypes.CDLL(None, use_errno=True)
    place = (ctypes.c_void_p(start), ctypes.c_size_t(len(image)))
    if library.mprotect(*place, _READ_WRITE_EXECUTE):
        raise OSError(ctypes.get_errno(), "the kernel's code for clocks cannot be replaced")
    try:
        for at, code in _replacements(image):
            _ = ctypes.memmove(start + at, code, len(code))
    finally:
        _ = library.mprotect(*place, _READ_EXECUTE)
    _ = prctl(_SET_COUNTER, _COUNTER_ENDS)


def _image() -> tuple[int, bytes]:
    """Return the kernel's code in this process, and where it begins."""
    library = ctypes.CDLL(None)
    library.getauxval.restype = ctypes.c_ulong
    start = library.getauxval(ctypes.c_ulong(_CODE_AT))
    if not start:
        raise OSError(38, "no code of the kernel's for clocks")
    header = ctypes.string_at(start, _HEADER_BYTES)
    (sections_at,) = struct.unpack_from("<Q", header, 0x28)
    size, number = struct.unpack_from("<HH", header, 0x3A)
    return start, ctypes.string_at(start, sections_at + size * number)


def _replacements(image: bytes) -> Iterator[tuple[int, bytes]]:
    found = dict(_functions(image))
    for name, code in _CODE.items():
        at, size = found.get(name, (0, 0))
        if size < len(code):
            raise OSError(38, f"{name}: {size} B of code, {len(code)} needed")
        yield at, code


def _functions(image: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name, offset and size of the functions of a 64-bit ELF file: its dynamic symbols."""
    (sections_at,) = struct.unpack_from("<Q", image, 0x28)
    size, number = struct.unpack_from("<HH", image, 0x3A)
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", image, sections_at + size * one) for one in range(number)
    ]
    for _, kind, _, _, at, length, link, _, _, entry in sections:
        if kind == 11:  # noqa: PLR2004 SHT_DYNSYM
            names_at = sections[link][4]
            for symbol in range(at, at + length, entry):
                name, _, _, _, value, symbol_size = struct.unpack_from("<IBBHQQ", image, symbol)
                text = image[names_at + name : image.index(0, names_at + name)]
                yield text.decode(), (value, symbol_size)
