"""What commands read from the answers of daemons: typed, so that a change of theirs is noticed.

Fields that a command does not show are left out; unknown ones are ignored, since answers may grow.
"""

import msgspec


class DaemonState(msgspec.Struct, frozen=True):
    """One daemon of a lab, in `ei.lab-status/1`."""

    name: str
    kind: str
    state: str
    pid: int
    starts: int


class LinkState(msgspec.Struct, frozen=True):
    """One link of a lab, in `ei.lab-status/1`; counts are of datagrams from its first end."""

    name: str
    impairment: dict[str, float | bool]
    offered: int = 0
    delivered: int = 0
    lost: int = 0


class LabStatus(msgspec.Struct, frozen=True):
    """Answer of a lab's supervisor."""

    name: str
    topology: str
    daemons: tuple[DaemonState, ...]
    links: tuple[LinkState, ...]
