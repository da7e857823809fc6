"""Thousands of short histories under faults, judged; and judges that are judged by planted bugs."""

from collections.abc import Callable
from random import Random

import pytest
from tests.cluster.histories import FAULTS, make_history
from tests.cluster.world import World

from ei.cluster.replica import Replica
from ei.lab.histories import judge
from ei.sdk.packets import Address

pytestmark = pytest.mark.slow

SEEDS = 40

MIXED = ("rot", "rot", "crash", "freeze", "cut")
FROZEN = ("freeze", "freeze", "freeze", "cut")


def wrong_of(
    seeds: range,
    faults: tuple[str, ...],
    *,
    replica: type[Replica] = Replica,
    prepare: Callable[[World], object] = str,
    is_enough: int = 1,
) -> list[str]:
    """Return what is wrong with the histories of some seeds, until that is enough."""
    wrong: list[str] = []
    for seed in seeds:
        world = make_history(seed, faults=faults, replica=replica, prepare=prepare)
        wrong += [f"seed {seed}: {each}" for each in judge(world.history)]
        if len(wrong) >= is_enough:
            break
    return wrong


@pytest.mark.timeout(120)
def test_d1_histories_under_all_faults_are_linearizable() -> None:
    assert wrong_of(range(SEEDS), FAULTS) == []


@pytest.mark.timeout(120)
def test_d2_what_was_acknowledged_outlives_crashes_that_forget_what_was_not_synced() -> None:
    assert wrong_of(range(SEEDS), ("crash",)) == []


@pytest.mark.timeout(120)
def test_d3_disks_that_rot_or_are_lost_on_one_member_lose_nothing() -> None:
    assert wrong_of(range(SEEDS), MIXED) == []


@pytest.mark.timeout(120)
def test_d4_frozen_and_cut_off_owners_get_nothing_accepted() -> None:
    assert wrong_of(range(SEEDS), FROZEN) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(8))
def test_d5_members_that_are_restarted_in_turn_lose_nothing(seed: int) -> None:
    world = make_history(seed, faults=("lose",), prepare=_restart_in_turn, seconds=8.0)

    assert judge(world.history) == []
    done = [each for each in world.history if each.outcome == "done"]
    assert len(done) / world.now_s > 10


def test_d4_of_two_owners_no_epoch_has_more_than_one() -> None:
    owners: dict[int, set[Address]] = {}
    for seed in range(SEEDS):
        world = make_history(seed, faults=FROZEN, seconds=3.0)
        for record in world.etcd.seen:
            owners.setdefault(seed * 10_000 + record.epoch, set()).add(record.owner)

    assert all(len(each) == 1 for each in owners.values())


# -- the judges are judged -------------------------------------------------------------------------


class AcceptsOldEpochs(Replica):
    """Follows whoever says that it owns the state, whatever it has heard of since."""

    def _is_stale(self, sender: Address, epoch: int) -> bool:
        if epoch != self._epoch:
            self._step_down(epoch)
        return super()._is_stale(sender, epoch)


class ReadsWithoutLease(Replica):
    """Takes itself for the owner until somebody says otherwise."""

    def is_current(self, now_s: float) -> bool:
        return self.is_serving


class AcknowledgesAlone(Replica):
    """Takes its own disk for all of the set."""

    @property
    def committed(self) -> int:
        return self.log.last.index


def _syncs_nothing(world: World) -> None:
    for member in world.members:
        member.disk.syncs_nothing = True


@pytest.mark.timeout(120)
def test_d2_an_acknowledgement_before_the_sync_is_found_out() -> None:
    faults = ("crash", "crash", "cut")

    assert wrong_of(range(200), faults, prepare=_syncs_nothing)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "replica",
    [AcceptsOldEpochs, ReadsWithoutLease, AcknowledgesAlone],
    ids=lambda kind: kind.__name__,
)
def test_d1_a_replica_that_breaks_a_rule_is_found_out(replica: type[Replica]) -> None:
    # Without etcd, one that wakes up is not told that another owns the state.
    assert wrong_of(range(900), ("freeze", "quorum", "freeze", "cut"), replica=replica)


def _restart_in_turn(world: World) -> None:
    randomness = Random(1)

    def restart(number: int) -> None:
        member = world.members[number % len(world.members)]
        if member.replica is not None:
            member.crash()
            life = member.life
            world.at(randomness.uniform(0.1, 0.3), lambda: member.start_again(life))
        world.at(1.0, lambda: restart(number + 1))

    world.at(1.0, lambda: restart(0))
