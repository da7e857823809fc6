"""What the owner of a state knows of one member's copy of it."""

from collections import OrderedDict
from dataclasses import dataclass
from math import inf

import msgspec

from ei.cluster.entries import Point
from ei.cluster.log import Log
from ei.cluster.messages import PIECE_BYTES, Append, Appended, Piece, Taken
from ei.sdk.packets import Address

BEAT_S = 0.05
LEASE_S = 3 * BEAT_S
"""So long a member that answers lets no other own the state, itself included."""

MARGIN = 0.8
"""Of a lease that the owner uses: clocks may differ by a fifth in how fast they go."""

PATIENCE_S = 0.5
"""A copy that was not complete for so long is given up, until it is again."""

SENT_BYTES = 512 * 1024
BEATS_KEPT = 64


class CopyStatistics(msgspec.Struct, frozen=True):
    """How far a member's copy is; see `ei node member list`."""

    member: Address
    index: int
    is_lost: bool
    is_in_transfer: bool


@dataclass(slots=True)
class _Transfer:
    """A snapshot on its way."""

    number: int
    at: Point
    content: bytes
    offset: int = 0


class Copy:
    """One member's copy, while this member owns the state.

    Args:
        before: Up to where it is taken to be complete, until it says otherwise.
        beat: Of the owner: what answers an earlier one was not said to this.
    """

    def __init__(  # noqa: PLR0913 all that it is
        self,
        service: int,
        epoch: int,
        member: Address,
        *,
        before: Point,
        beat: int,
        now_s: float,
    ) -> None:
        self.member = member
        self.acked = -1
        self.is_lost = False
        self._service = service
        self._epoch = epoch
        self._start = 0
        self._before = before
        self._answered = beat + 1
        self._sent_s: OrderedDict[int, float] = OrderedDict()
        self._sent_index = -1
        self._asked_s = -inf
        self._complete_s = now_s
        self._transfer: _Transfer | None = None
        self._transfers = 0

    def statistics(self) -> CopyStatistics:
        """Return how far it is."""
        return CopyStatistics(self.member, self.acked, self.is_lost, self._transfer is not None)

    @property
    def is_answering(self) -> bool:
        """Whether it has answered."""
        return self._start != 0

    def lease_ends_s(self) -> float:
        """Return until when it lets no other own the state, on the owner's clock."""
        return self._asked_s + LEASE_S * MARGIN

    def is_overdue(self, now_s: float) -> bool:
        """Whether it is to be given up."""
        return self.is_lost or now_s - self._complete_s > PATIENCE_S

    def next_message(self, log: Log, *, beat: int, committed: int, now_s: float) -> Append | Piece:
        """Return what to say to it now: what it misses, or just that the owner is there."""
        if self._transfer is not None:
            # It hears of the owner by what it is given.
            return self._piece(self._transfer)
        if log.point(self._before.index) != self._before:
            return self._piece(self._begin_transfer(log))
        self._sent_s[beat] = now_s
        if len(self._sent_s) > BEATS_KEPT:
            _ = self._sent_s.popitem(last=False)
        entries = log.after(self._before.index, limit_bytes=SENT_BYTES)
        self._sent_index = entries[-1].point.index if entries else self._before.index
        return Append(
            self._service,
            self._epoch,
            beat,
            self._start,
            self._before,
            tuple(entry.encoded for entry in entries),
            log.last.index,
            committed,
        )

    def take(self, message: Appended, log: Log, *, now_s: float) -> bool:
        """Take an answer; return whether there is something to say to it at once."""
        if message.beat < self._answered or message.index > log.last.index:
            return False  # perhaps of a start before: it may have lost since what it had then
        self._answered = message.beat
        if message.start != self._start:
            self._begin_anew(message.start, now_s)
        self._asked_s = max(self._asked_s, self._sent_s.get(message.beat, -inf))
        if message.index < 0:
            return self._transfer is None and self._find_place(message, log)
        place = log.point(message.index)
        if place is not None and message.index >= self.acked:
            self.acked, self._before = message.index, place
        if self.acked == log.last.index:
            self._complete_s = now_s
        return self._sent_index == self.acked < log.last.index

    def take_taken(self, message: Taken) -> bool:
        """Take how far a snapshot is; return whether there is something to say to it at once."""
        transfer = self._transfer
        if transfer is None or message.transfer != transfer.number:
            return False
        if message.start != self._start:
            self._transfer = None  # it started anew, and has nothing of it
            return True
        if message.offset <= transfer.offset:
            return False
        transfer.offset = message.offset
        if transfer.offset >= len(transfer.content):
            self._before, self._transfer = transfer.at, None
        return True

    # -- the parts ------------------------------------------------------------------------------

    def _begin_anew(self, start: int, now_s: float) -> None:
        """Forget what the member said before it started anew: its disk may have lost it since."""
        self._start = start
        self.acked = -1
        self._asked_s = -inf
        self._complete_s = now_s
        self._transfer = None

    def _find_place(self, message: Appended, log: Log) -> bool:
        """Go back to where the logs are the same; without such a place, to a snapshot."""
        self._before = next(
            (place for place in message.tail if log.point(place.index) == place),
            _NOWHERE,
        )
        return True

    def _begin_transfer(self, log: Log) -> _Transfer:
        self._transfers += 1
        self._transfer = _Transfer(self._transfers, log.applied, log.snapshot())
        return self._transfer

    def _piece(self, transfer: _Transfer) -> Piece:
        return Piece(
            self._service,
            self._epoch,
            self._start,
            transfer.number,
            transfer.offset,
            len(transfer.content),
            transfer.content[transfer.offset : transfer.offset + PIECE_BYTES],
        )


_NOWHERE = Point(-1, 0, b"")
