"""What an environment says of itself."""

import msgspec

from ei.runtime.faults import Fault
from ei.runtime.stores import StoreStatistics


class EnvironmentStatistics(msgspec.Struct, frozen=True):
    """What an environment did and holds.

    Attributes:
        events: Handled.
        faults: Events that came to nothing, by word.
        newest_faults: The last few, oldest first.
        timers: Armed.
        held: Packets that wait.
        stable: How full the stable store is.
        ephemeral: How full the ephemeral store is.
        cost_s: Virtual CPU time, in simulation.
    """

    events: int
    faults: dict[str, int]
    newest_faults: tuple[Fault, ...]
    timers: int
    held: int
    stable: StoreStatistics
    ephemeral: StoreStatistics
    cost_s: float
