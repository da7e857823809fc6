"""What an environment says of itself."""

import msgspec

from ei.runtime.faults import Fault
from ei.runtime.holds import Holds
from ei.runtime.instance import Instance
from ei.runtime.stores import StoreStatistics, TransactionalStore
from ei.runtime.timers import Timers


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


def statistics_of(
    instance: Instance,
    timers: Timers,
    holds: Holds,
    stable: TransactionalStore,
    ephemeral: TransactionalStore,
) -> EnvironmentStatistics:
    """Return the statistics of an environment that is made of these."""
    return EnvironmentStatistics(
        events=instance.number,
        faults=dict(instance.faults.counts),
        newest_faults=tuple(instance.faults.newest),
        timers=len(timers),
        held=len(holds),
        stable=stable.statistics(),
        ephemeral=ephemeral.statistics(),
        cost_s=instance.cost_s,
    )
