"""What keeps a worker in: no files but its store, no network, no processes, no fine clock.

    language     a module's own names: no open, no eval, imports of what is pure alone
    namespaces   no network, an empty file system, nobody else's memory
    capabilities none, and none to be had
    landlock     no file is opened, no port, no signal to others
    clock        nothing finer than the kernel's tick, for strangers
    seccomp      some thirty system calls on what is open, and no others

The first is soft: whoever knows Python well gets around it. Each of the others holds alone against
what it is for; `docs/explanation/the-jail.md` says against what.
"""

from ei.runtime.jail.layers import (
    LAYERS,
    OF_KERNEL,
    OF_OURS,
    OF_TRUSTED,
    OPEN,
    Jail,
    Layer,
    check_closed,
    close_jail,
)

__all__ = [
    "LAYERS",
    "OF_KERNEL",
    "OF_OURS",
    "OF_TRUSTED",
    "OPEN",
    "Jail",
    "Layer",
    "check_closed",
    "close_jail",
]
