"""What a member changes in etcd about who owns a service's state. Pure: all it knows comes in."""

import msgspec

from ei.cluster.ownership import Ownership
from ei.cluster.replica import Role
from ei.sdk.packets import Address


class Standing(msgspec.Struct, frozen=True):
    """How a member's replica stands; what it says to its member, and to `ei node status`.

    Attributes:
        revision: Of the newest ownership that it has seen.
        epoch: The newest that it knows of.
        is_whole: Whether nothing is missing that it ever acknowledged.
        is_new: Whether it has just been made.
        asked: The epoch and the set that etcd should have, when it is to change.
        is_serving, index: Whether it serves, and where its log ends.
    """

    revision: int
    epoch: int
    role: Role
    is_whole: bool
    is_new: bool
    asked: tuple[int, frozenset[Address]] | None = None
    is_serving: bool = False
    index: int = 0

    def may_own(self, epoch: int) -> bool:
        """Whether it may own the state in an epoch that is to come."""
        return self.is_whole and epoch > self.epoch


def decide(  # noqa: PLR0913 all that a decision rests on
    me: Address,
    record: Ownership | None,
    *,
    members: frozenset[Address],
    standing: Standing | None,
    lost: frozenset[Address],
    copies: int,
) -> Ownership | None:
    """Return what etcd should have in the place of `record`, or `None`.

    Args:
        record: What it has; `None` for nothing yet.
        members: Of the cluster, those that leave not counted.
        standing: Of the replica here, `None` while there is none.
        lost: Members that are not to be reached.
        copies: Below so many in sync none is taken out.

    Returns:
        With the revision that etcd must still have: 0 for nothing.
    """
    if record is None:
        # Only who has nothing may begin: with a log at hand, that etcd knows nothing is a fault.
        is_first = me in members and standing is not None and standing.is_new
        return Ownership(1, me, (me,)) if is_first else None
    others = [each for each in record.in_sync if each != me and each not in lost]
    if record.owner == me:
        is_able = standing is not None and (
            standing.is_whole or (standing.is_new and record.is_first)
        )
        if others and not (is_able and me in members):
            return _passed_on(record, others[0], copies)
        return _of_owner(record, standing) if is_able and standing is not None else None
    if record.owner in lost and me in record.in_sync and me in members:
        # One that is cut off from the others is not to take from them what it cannot use.
        has_enough = len(members - lost) >= copies
        is_able = has_enough and standing is not None and standing.may_own(record.epoch + 1)
        return _passed_on(record, me, copies) if is_able else None
    return None


def _of_owner(record: Ownership, standing: Standing) -> Ownership | None:
    if standing.revision != record.revision:
        return None  # it has not heard of this yet
    if standing.role == "following":
        # It started anew in its epoch: what it said before may still be answered.
        return record.passed_on(record.owner)
    if standing.asked is not None and standing.asked[0] == record.epoch:
        return record.with_members(standing.asked[1])
    return None


def _passed_on(record: Ownership, owner: Address, copies: int) -> Ownership:
    """Return the next epoch, without the owner before as long as there are enough copies."""
    is_enough = len(record.in_sync) > copies
    return record.passed_on(owner, without=record.owner if is_enough else None)
