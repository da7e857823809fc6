"""Closes the jail of a worker, layer by layer, and says which of them hold."""

import ctypes
import struct
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, get_args

import msgspec

from ei.errors import DeniedError
from ei.runtime.jail import landlock, namespaces
from ei.runtime.jail.clock import coarsen
from ei.runtime.jail.filtering import (
    AUDIT_ARCHES,
    CPU_TIME,
    FINE,
    FOLDER,
    TIME,
    WORKER,
    Rules,
    clocks,
    program,
)
from ei.runtime.jail.system import MACHINE, call

Layer = Literal["language", "clock", "namespaces", "capabilities", "landlock", "seccomp"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
"""All, in the order in which they close. The first is Python's, the others are the kernel's."""

OF_KERNEL = LAYERS[1:]
"""All but the soft one."""

OF_TRUSTED: tuple[Layer, ...] = ("language", "namespaces", "capabilities", "landlock", "seccomp")
"""Of modules that somebody has read. They may know the time: what takes it from a process costs at
each switch to another, some 2 µs where a hypervisor is asked."""

OF_OURS = OF_TRUSTED[1:]
"""Of services that come with this program, and are checked with it."""

_FILTER = 1
"""From linux/seccomp.h: SECCOMP_SET_MODE_FILTER."""


class Jail(msgspec.Struct, frozen=True):
    """How a worker is kept in.

    Attributes:
        layers: Those that hold.
        missing: Those that were wanted and do not, with the reason.
    """

    layers: tuple[Layer, ...] = ()
    missing: dict[Layer, str] = {}

    def __str__(self) -> str:
        """Return a word or two for people: `closed`, `open`, `without landlock`."""
        if self.missing:
            return f"without {', '.join(self.missing)}"
        return "closed" if self.layers else "open"


OPEN = Jail()


def close_jail(
    wanted: Collection[Layer], *, folder: Path | None = None, measures: bool = False
) -> Jail:
    """Give up, in this process and for good, all that a service has no use for.

    What is open stays open. The layer of the language is the loader's: it is told of here only.

    Args:
        wanted: Which layers.
        folder: Where files may still be opened, read, made and replaced.
        measures: Whether it may know its own CPU time, for who writes the service.
    """
    closing: dict[Layer, Callable[[], None]] = {
        "language": _nothing,
        "clock": coarsen,
        "namespaces": lambda: namespaces.enter(folder),
        "capabilities": namespaces.drop_capabilities,
        "landlock": lambda: landlock.restrict(folder),
        "seccomp": lambda: _filter_calls(rules_for(folder, layers, measures=measures)),
    }
    layers: list[Layer] = []
    missing: dict[Layer, str] = {}
    for layer, close in closing.items():
        if layer not in wanted:
            continue
        try:
            close()
        except OSError as error:
            missing[layer] = error.strerror or str(error)
        else:
            layers.append(layer)
    return Jail(tuple(layers), missing)


def check_closed(jail: Jail, place: str, *, trusting: str) -> None:
    """Check that a jail has all that a stranger's module needs.

    Args:
        jail: How it stands.
        place: Folder of the module.
        trusting: What does without, in words that follow "or, if you have read it, ".

    Raises:
        DeniedError: A layer does not hold.
    """
    gaps = [layer for layer in LAYERS if layer not in jail.layers]
    if gaps:
        why = "; ".join(sorted(set(jail.missing.values()))) or 'jail = "open"'
        raise DeniedError(
            f"{place}: a stranger's module, in a jail without {', '.join(gaps)}: {why}",
            remedy=f"Run it on a kernel that has that; or, if you have read it, {trusting}",
        )


def _nothing() -> None:
    pass


def rules_for(folder: Path | None, closed: Collection[Layer], *, measures: bool = False) -> Rules:
    """Return which calls a worker may make.

    Args:
        folder: Where files may be opened, if anywhere.
        closed: The layers that hold by now: without `clock`, it may ask for the time.
        measures: Whether it may ask for its own CPU time.
    """
    rules = {**WORKER}
    if folder is not None:
        rules |= FOLDER
    if "clock" not in closed:
        rules |= TIME
    if measures:
        rules |= clocks(FINE if "clock" not in closed else (), (CPU_TIME,))
    return rules


def _filter_calls(rules: Rules) -> None:
    if MACHINE not in AUDIT_ARCHES:
        raise OSError(38, f"no filter for {MACHINE}")
    filter_code = program(rules, MACHINE)
    code = ctypes.create_string_buffer(filter_code, len(filter_code))
    # struct sock_fprog: how many instructions, and where.
    _ = call("seccomp", _FILTER, 0, struct.pack("@HP", len(code) // 8, ctypes.addressof(code)))
