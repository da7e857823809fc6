"""The owner's side of a replicated state, for one epoch: what is committed, and who must have it.

After PacificA (Lin et al., MSR-TR-2008-25): etcd says who is in the set, all in the set have what
is acknowledged, and whoever is not in it any more is taken out there before anything is
acknowledged without it.
"""

from math import inf

from ei.cluster.copies import Copy, CopyStatistics
from ei.cluster.entries import make_entry
from ei.cluster.log import Log
from ei.cluster.messages import Appended, Taken, Whole
from ei.cluster.ownership import Ownership
from ei.cluster.writes import NOTHING, encode_writes
from ei.sdk.packets import Address

Outgoing = list[tuple[Address, Whole]]


class Owner:
    """Owns a state in one epoch.

    Args:
        copies: How many members must have what is acknowledged.
        members: To keep copies at, and to bring into the set.

    Attributes:
        committed: Index up to which all of the set has the log on disk.
    """

    def __init__(  # noqa: PLR0913 all that an epoch is made of
        self,
        service: int,
        me: Address,
        record: Ownership,
        *,
        log: Log,
        copies: int,
        members: frozenset[Address],
        lost: frozenset[Address],
        now_s: float,
    ) -> None:
        self.record = record
        self.committed = log.applied.index
        self._service = service
        self._me = me
        self._log = log
        self._least = copies
        self._members = members
        self._lost = lost
        self._asked: frozenset[Address] = frozenset()
        self._durable = log.last.index
        self._copies: dict[Address, Copy] = {}
        self._beat = 0
        self._add_copies(now_s)
        # What came before is committed with this: then all of the set has it.
        self._begins = log.last.index + 1
        self._beat_s = -inf

    @property
    def is_serving(self) -> bool:
        """Whether all that was ever acknowledged is here, and known to be."""
        return self.committed >= self._begins

    @property
    def has_pending(self) -> bool:
        """Whether something is written and not committed."""
        return self._log.last.index > self.committed

    def statistics(self) -> tuple[CopyStatistics, ...]:
        """Return how far the copies are."""
        return tuple(copy.statistics() for copy in self._copies.values())

    def begin(self, now_s: float) -> Outgoing:
        """Begin the epoch, on all members."""
        return self.append(encode_writes(NOTHING), now_s)

    def append(self, body: bytes, now_s: float) -> Outgoing:
        """Write an entry: safe here after `sync`, committed when all of the set has it."""
        self._log.add(make_entry(self._log.last, self.record.epoch, body))
        return self._say(now_s)

    def sync(self) -> None:
        """Make what was written safe on the own disk."""
        self._log.sync()
        self._durable = self._log.last.index
        self._commit()

    def change(self, record: Ownership, members: frozenset[Address], now_s: float) -> None:
        """Take note of what etcd has now, for the same epoch, and of who is a member."""
        if record.revision > self.record.revision:
            # No transaction that was tried before can come to anything any more.
            self._asked = frozenset()
        self.record = record
        self._members = members
        self._add_copies(now_s)
        self._commit()

    def lose(self, lost: frozenset[Address]) -> None:
        """Take note of who is not to be reached."""
        self._lost = lost
        for member, copy in self._copies.items():
            copy.is_lost = member in lost

    def take(self, sender: Address, message: Appended | Taken, now_s: float) -> Outgoing:
        """Take what a member says of its copy."""
        copy = self._copies.get(sender)
        if copy is None:
            return []
        if isinstance(message, Appended):
            is_more = copy.take(message, self._log, now_s=now_s)
            self._commit()
        else:
            is_more = copy.take_taken(message)
        return [(sender, self._next(copy, now_s))] if is_more else []

    def tick(self, now_s: float, every_s: float) -> Outgoing:
        """Say again, every `every_s`, that the owner is there, and what is not answered yet."""
        if now_s - self._beat_s < every_s:
            return []
        return self._say(now_s)

    def confirm(self, now_s: float) -> Outgoing:
        """Ask all of the set whether this is still the owner; see `is_current`."""
        return self._say(now_s)

    def is_current(self, now_s: float) -> bool:
        """Whether nobody else can own the state yet, by the leases of all who could."""
        return all(self._copies[each].lease_ends_s() > now_s for each in self._required())

    def has_enough(self, now_s: float) -> bool:
        """Whether there are as many copies as there must be, as far as is known."""
        found = [each for each in self._required() if not self._copies[each].is_lost]
        return len(self.record.in_sync) >= self._least and len(found) == len(self._required())

    def ask(self, now_s: float) -> frozenset[Address] | None:
        """Return the set that etcd should have, if it is to change; never below the least.

        Who is asked for counts as one of the set at once, until etcd has answered.
        """
        now = frozenset(self.record.in_sync)
        joining = frozenset(
            member
            for member, copy in self._copies.items()
            if member in self._members and member not in now and self._is_complete(copy, now_s)
        )
        wanted = now | joining
        gone = {each for each in now - {self._me} if self._is_to_go(each, now_s)}
        if len(wanted - gone) >= self._least:
            # Else nothing is acknowledged in any case, and those in the set may yet own the state.
            wanted -= gone
        self._asked |= wanted - now
        # Who was asked for and is not wanted any more counts until etcd has said what it has.
        return wanted if wanted != now or self._asked else None

    # -- the parts ------------------------------------------------------------------------------

    def _is_to_go(self, member: Address, now_s: float) -> bool:
        return self._copies[member].is_overdue(now_s) or member not in self._members

    def _is_complete(self, copy: Copy, now_s: float) -> bool:
        is_here = copy.is_answering and not copy.is_overdue(now_s)
        return is_here and copy.acked >= max(self.committed, self._begins)

    def _required(self) -> frozenset[Address]:
        """Who must have what is acknowledged, beside this member."""
        return (frozenset(self.record.in_sync) | self._asked) - {self._me}

    def _commit(self) -> None:
        acked = [self._copies[each].acked for each in self._required()]
        committed = min(self._durable, *acked) if acked else self._durable
        # An entry of an epoch before is committed only by one of this epoch behind it.
        if committed > self.committed and committed >= self._begins:
            self.committed = committed
            self._log.apply_to(committed)

    def _add_copies(self, now_s: float) -> None:
        epoch, before = self.record.epoch, self._log.last
        for member in sorted((self._members | frozenset(self.record.in_sync)) - {self._me}):
            if member not in self._copies:
                copy = Copy(
                    self._service, epoch, member, before=before, beat=self._beat, now_s=now_s
                )
                copy.is_lost = member in self._lost
                self._copies[member] = copy
        kept = self._members | self._required()
        for member in sorted(self._copies.keys() - kept):
            del self._copies[member]

    def _say(self, now_s: float) -> Outgoing:
        self._beat_s = now_s
        return [
            (member, self._next(copy, now_s))
            for member, copy in self._copies.items()
            if not copy.is_lost
        ]

    def _next(self, copy: Copy, now_s: float) -> Whole:
        self._beat += 1
        return copy.next_message(self._log, beat=self._beat, committed=self.committed, now_s=now_s)
