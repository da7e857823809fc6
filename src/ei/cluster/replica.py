"""One member's replica of one service's state: follows the owner's log, or owns the state.

Pure: time, messages, what etcd has and the disk are arguments; its shell is in `ei.runtime`.
"""

from typing import Literal

import msgspec

from ei.cluster.copies import BEAT_S, LEASE_S, CopyStatistics
from ei.cluster.entries import Point, read_entry
from ei.cluster.log import Log, LogStatistics
from ei.cluster.messages import Append, Appended, Piece, Refused, Taken, Whole
from ei.cluster.owner import Outgoing, Owner
from ei.cluster.ownership import Ownership
from ei.cluster.writes import Writes, encode_writes
from ei.errors import IntegrityError, LimitError, LocalError
from ei.sdk.packets import Address

TAIL_POINTS = 16
MAX_SNAPSHOT_BYTES = 2**31


Role = Literal["following", "waiting", "owning"]


class ReplicaStatus(msgspec.Struct, frozen=True):
    """What a replica says of itself.

    Attributes:
        role: `waiting` is an owner by etcd's word that may not begin yet.
        is_whole: Whether nothing is missing that it ever acknowledged.
        found: What there was on its disk when it started.
        copies: As the owner knows them.
        refused: Messages that did not count, by what was wrong.
    """

    role: Role
    epoch: int
    is_serving: bool
    is_whole: bool
    found: str
    log: LogStatistics
    copies: tuple[CopyStatistics, ...]
    refused: dict[str, int]


class Replica:
    """A replica, freshly started.

    Args:
        service: Number.
        me: Address of this member.
        log: What is on its disk.
        copies: How many members must have what is acknowledged.
        start: Drawn at random, above 0, for each start.
        now_s: Monotonic, and going on while this machine sleeps.
    """

    def __init__(  # noqa: PLR0913 all that it is
        self,
        service: int,
        me: Address,
        *,
        log: Log,
        copies: int,
        start: int,
        now_s: float,
    ) -> None:
        self._service = service
        self._me = me
        self._log = log
        self._least = copies
        self._start = start
        self._epoch = log.last.epoch
        self._leader: Address | None = None
        self._owner: Owner | None = None
        self._due: Ownership | None = None
        self._members: frozenset[Address] = frozenset()
        self._lost: frozenset[Address] = frozenset()
        # What it promised before it started anew, it does not remember: so it holds to it.
        self._promised_s = now_s + LEASE_S
        self._incoming = _Incoming(0, 0)
        self._restored = (0, 0)
        self._refused: dict[str, int] = {}

    def __repr__(self) -> str:
        status = self.status()
        return f"<Replica of {self._service} {status.role} epoch {status.epoch} {self._log}>"

    @property
    def log(self) -> Log:
        """Its log."""
        return self._log

    @property
    def epoch(self) -> int:
        """The newest that it knows of."""
        return self._epoch

    @property
    def role(self) -> Role:
        """What it does."""
        if self._owner is not None:
            return "owning"
        return "following" if self._due is None else "waiting"

    @property
    def is_serving(self) -> bool:
        """Whether it owns the state, with all that was ever acknowledged."""
        return self._owner is not None and self._owner.is_serving

    @property
    def has_pending(self) -> bool:
        """Whether something is written, and nobody knows yet whether it will stay."""
        return self._owner is not None and self._owner.has_pending

    @property
    def committed(self) -> int:
        """Index up to which the log stays."""
        return self._log.applied.index if self._owner is None else self._owner.committed

    def status(self) -> ReplicaStatus:
        """Return what it is."""
        owner = self._owner
        return ReplicaStatus(
            self.role,
            self._epoch,
            self.is_serving,
            self._log.is_whole,
            self._log.found.value,
            self._log.statistics(),
            () if owner is None else owner.statistics(),
            dict(self._refused),
        )

    # -- what the member says -------------------------------------------------------------------

    def see(self, record: Ownership, members: frozenset[Address], now_s: float) -> Outgoing:
        """Take note of what etcd has.

        Returns:
            What to send. An owner that started anew in this epoch does nothing: what it said before
            may still be answered, so it needs the next one.
        """
        self._members = members
        if record.owner != self._me:
            if record.epoch > self._epoch:
                self._step_down(record.epoch)
            return []
        if self._owner is not None and record.epoch == self._epoch:
            self._owner.change(record, members, now_s)
            return []
        if record.epoch <= self._epoch:
            return []
        if self._log.is_new and record.is_first:
            self._log.set_whole()
        if not self._log.is_whole:
            return []
        self._step_down(record.epoch)
        self._due = record
        return self._lead_if_free(now_s)

    def lose(self, lost: frozenset[Address]) -> None:
        """Take note of which members are not to be reached."""
        self._lost = lost
        if self._owner is not None:
            self._owner.lose(lost)

    def resign(self) -> None:
        """Own the state no more: another is about to."""
        self._step_down(self._epoch)

    def ask(self, now_s: float) -> tuple[int, frozenset[Address]] | None:
        """Return the epoch and the set that etcd should have, if it is to change."""
        wanted = None if self._owner is None else self._owner.ask(now_s)
        return None if wanted is None else (self._epoch, wanted)

    def tick(self, now_s: float) -> Outgoing:
        """Do what time asks for; to be called every `BEAT_S`."""
        if self._owner is None:
            return self._lead_if_free(now_s)
        return self._owner.tick(now_s, BEAT_S * MARGIN_OF_TICKS)

    # -- what the store says --------------------------------------------------------------------

    def why_refused(self, now_s: float) -> str:
        """Return why a write would be refused; empty when it would not."""
        if self._owner is None or not self._owner.is_serving:
            return "not_owner"
        return "" if self._owner.has_enough(now_s) else "too_few_copies"

    def write(self, writes: Writes, now_s: float) -> Outgoing:
        """Write an entry: what to send first, then `sync`. It stays once it is committed.

        Raises:
            LocalError: this member does not own the state, or the disk failed.
        """
        if self._owner is None or not self._owner.is_serving:
            raise LocalError("another member owns the state")
        return self._owner.append(encode_writes(writes), now_s)

    def sync(self) -> None:
        """Make what was written safe on the own disk.

        Raises:
            LocalError: the disk failed; what is on it is in doubt.
        """
        if self._owner is not None:
            self._owner.sync()

    def confirm(self, now_s: float) -> Outgoing:
        """Ask all of the set whether this is still the owner."""
        return [] if self._owner is None else self._owner.confirm(now_s)

    def is_current(self, now_s: float) -> bool:
        """Whether what is here is the newest that anybody has acknowledged."""
        return self.is_serving and self._owner is not None and self._owner.is_current(now_s)

    # -- what other members say -----------------------------------------------------------------

    def take(self, sender: Address, message: Whole, now_s: float) -> Outgoing:
        """Take a message of another member.

        Raises:
            LocalError: the disk failed, or the log of another owner contradicts what is committed.
        """
        match message:
            case Append():
                return self._take_append(sender, message, now_s)
            case Piece():
                return self._take_piece(sender, message, now_s)
            case Appended(epoch=epoch) | Taken(epoch=epoch):
                if self._owner is None or epoch != self._epoch:
                    return []
                return self._owner.take(sender, message, now_s)
            case Refused(epoch=epoch):
                if epoch > self._epoch:
                    self._step_down(epoch)
                return []

    # -- the parts ------------------------------------------------------------------------------

    def _step_down(self, epoch: int) -> None:
        self._epoch = epoch
        self._leader = self._owner = self._due = None

    def _lead_if_free(self, now_s: float) -> Outgoing:
        """Begin an epoch once no member can count on the owner before."""
        if self._due is None or now_s < self._promised_s:
            return []
        record, self._due = self._due, None
        self._owner = Owner(
            self._service,
            self._me,
            record,
            log=self._log,
            copies=self._least,
            members=self._members,
            lost=self._lost,
            now_s=now_s,
        )
        outgoing = self._owner.begin(now_s)
        self._owner.sync()
        return outgoing

    def _is_stale(self, sender: Address, epoch: int) -> bool:
        """Whether a message comes from an owner of the past; one of the future is followed."""
        if epoch < self._epoch:
            return True
        if epoch > self._epoch:
            self._step_down(epoch)
        self._leader = self._leader or sender
        return self._owner is not None or self._due is not None or sender != self._leader

    def _refuse(self, sender: Address, word: str) -> Outgoing:
        self._refused[word] = self._refused.get(word, 0) + 1
        return [(sender, Refused(self._service, self._epoch))]

    def _take_append(self, sender: Address, message: Append, now_s: float) -> Outgoing:
        if self._is_stale(sender, message.epoch):
            return self._refuse(sender, "stale_epoch")
        self._promised_s = now_s + LEASE_S
        index = -1
        tail: tuple[Point, ...] = ()
        if self._log.point(message.before.index) == message.before:
            index = self._follow(message)
            self._log.apply_to(min(message.committed, index))
            if message.start == self._start and index == message.last:
                # The owner has heard of this start, so this is all that anybody counts on.
                self._log.set_whole()
        else:
            tail = tuple(self._log.tail(TAIL_POINTS))
        answer = Appended(self._service, message.epoch, message.beat, self._start, index, tail)
        return [(sender, answer)]

    def _follow(self, message: Append) -> int:
        """Write what the owner wrote; return the index up to which the logs are the same."""
        before, is_new = message.before, False
        for encoded in message.entries:
            try:
                entry = read_entry(encoded, before)
            except IntegrityError:
                self._refused["bad_entry"] = self._refused.get("bad_entry", 0) + 1
                break
            have = self._log.point(entry.point.index)
            if have != entry.point:
                if have is not None:
                    self._take_back(before.index)
                self._log.add(entry)
                is_new = True
            before = entry.point
        if is_new:
            self._log.sync()
        return before.index

    def _take_back(self, index: int) -> None:
        try:
            self._log.cut_after(index)
        except IntegrityError as error:
            raise LocalError(
                f"the log of the owner contradicts what is committed here: {error}",
                remedy="Stop this member, and compare its log with those of the others.",
            ) from error

    def _take_piece(self, sender: Address, message: Piece, now_s: float) -> Outgoing:
        if self._is_stale(sender, message.epoch):
            return self._refuse(sender, "stale_epoch")
        if message.length > MAX_SNAPSHOT_BYTES:
            raise LimitError(f"a snapshot of {message.length} B, {MAX_SNAPSHOT_BYTES} B allowed")
        number = (message.epoch, message.transfer)
        offset = message.length
        if number > self._restored:
            offset = self._collect(message)
            if offset == message.length:
                self._restore(number)
        answer = Taken(self._service, message.epoch, self._start, message.transfer, offset)
        return [(sender, answer)]

    def _collect(self, message: Piece) -> int:
        """Add a piece, if it is the next; return how much there is."""
        incoming = self._incoming
        if (message.epoch, message.transfer) > (incoming.epoch, incoming.transfer):
            incoming = self._incoming = _Incoming(message.epoch, message.transfer)
        if message.offset == len(incoming.content):
            incoming.content += message.content
        return len(incoming.content)

    def _restore(self, number: tuple[int, int]) -> None:
        content, self._incoming = bytes(self._incoming.content), _Incoming(*number)
        self._restored = number
        try:
            self._log.restore(content)
        except IntegrityError:
            self._refused["bad_snapshot"] = self._refused.get("bad_snapshot", 0) + 1


class _Incoming:
    """A snapshot, as far as it has come."""

    def __init__(self, epoch: int, transfer: int) -> None:
        self.epoch = epoch
        self.transfer = transfer
        self.content = bytearray()


MARGIN_OF_TICKS = 0.9
"""Ticks come a little early or late; none is to be left out for that."""
