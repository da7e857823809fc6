"""What may be used no more, here and at the other nodes of the tier.

A purge costs what its label costs, however much is kept under it: what was fetched before the time
of a purge is seen to be purged when it is about to be used, all variants alike. So a response that
was on its way during the purge, or comes from another node's cache, does not bring back what is
gone: its age tells when it was fetched.

Each node has a log of the purges that came to it, and sends to each of the others what that one did
not say it heard. A node that was away hears the rest when it is back; one that was away for longer
than the log remembers hears that all it has is in doubt.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from ei.sdk import Address, Corner, Effect, SendControl, Store, Tables
from ei.services.caching.messages import MOST_AT_ONCE, Heard, Mark, Spread

EVERYTHING = b""
"""The label of all that is kept."""
_MARKS_AT_ONCE = 4 * MOST_AT_ONCE

Verdict = Literal["", "soft", "gone"]


class Times(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """When a label was purged last, in Unix time; 0 for never.

    Attributes:
        gone_s: So that nothing of before may be used.
        soft_s: So that it is stale.
    """

    gone_s: float = 0.0
    soft_s: float = 0.0


class Log(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The purges that came to this node from hosts.

    Attributes:
        epoch: Tells this log from those before the last restart.
        first: Number of the first that is remembered.
        next: Number of the next.
    """

    epoch: int = 0
    first: int = 0
    next: int = 0


class Purges(Tables):
    """What was purged.

    Args:
        store: The ephemeral one: what the disk kept from before a restart is asked for anew anyway.
        most: Purges that are remembered; of what is older than those, all counts as purged.
    """

    __slots__ = ("_most",)

    _times = Corner("purges", Times)
    _order = Corner("purged", bytes)
    _marks = Corner("marks", Mark)
    _log = Corner("log", Log)
    _heard = Corner("heard", int)
    _count = Corner("purge count", int)

    def __init__(self, store: Store, *, most: int) -> None:
        super().__init__(store)
        self._most = most

    def begin(self, unix_s: float) -> None:
        """Begin a log, after a restart."""
        self._log.put(b"", Log(epoch=int(unix_s * 1_000)))

    def verdict(self, labels: Iterable[bytes], fetched_s: float) -> Verdict:
        """Say whether what was fetched then, and has these labels, was purged since."""
        worst: Verdict = ""
        for label in (EVERYTHING, *labels):
            times = self._times.get(label)
            if times is not None and times.gone_s >= fetched_s:
                return "gone"
            if times is not None and times.soft_s >= fetched_s:
                worst = "soft"
        return worst

    def apply(self, mark: Mark, unix_s: float) -> None:
        """Purge here."""
        before = self._times.get(mark.label) or Times()
        gone_s, soft_s = before.gone_s, before.soft_s
        if mark.is_soft:
            soft_s = max(soft_s, unix_s)
        else:
            gone_s = max(gone_s, unix_s)
        self._times.put(mark.label, Times(gone_s, soft_s))
        if mark.label != EVERYTHING and before == Times():
            self._remember(mark.label)

    def log(self, marks: Iterable[Mark]) -> None:
        """Note purges that the other nodes are to hear of."""
        log = self._log.get(b"") or Log()
        first, after = log.first, log.next
        for mark in marks:
            self._marks.put(_number(after), mark)
            after += 1
        while after - first > self._most:
            self._marks.delete(_number(first))
            first += 1
        self._log.put(b"", Log(log.epoch, first, after))

    def tell(self, node: Address) -> Iterator[Effect]:
        """Tell a node what it did not hear yet; it says `Heard`."""
        log = self._log.get(b"") or Log()
        heard = self._heard.get(node) or 0
        if heard >= log.next:
            return
        first = max(heard, log.first)
        marks = [Mark(EVERYTHING, is_soft=False)] if heard < log.first else []
        until = min(log.next, first + _MARKS_AT_ONCE - len(marks))
        for number in range(first, until):
            mark = self._marks.get(_number(number))
            if mark is not None:
                marks.append(mark)
        yield SendControl(Spread(log.epoch, until, tuple(marks)), to=node)

    def hear(self, node: Address, message: Heard) -> Iterator[Effect]:
        """Note what a node has done; tell it what is left."""
        log = self._log.get(b"") or Log()
        if message.epoch != log.epoch:
            return
        self._heard.put(node, max(self._heard.get(node) or 0, message.next))
        yield from self.tell(node)

    # -- the parts ------------------------------------------------------------------------------

    def _remember(self, label: bytes) -> None:
        """Bound what is remembered: what is forgotten counts as a purge of everything before."""
        count = self._count.get(b"") or 0
        self._order.put(_number(count), label)
        self._count.put(b"", count + 1)
        oldest = self._order.get(_number(count - self._most)) if count >= self._most else None
        if oldest is None:
            return
        self._order.delete(_number(count - self._most))
        times = self._times.get(oldest) or Times()
        self._times.delete(oldest)
        floor = self._times.get(EVERYTHING) or Times()
        gone_s = max(floor.gone_s, times.gone_s, times.soft_s)
        self._times.put(EVERYTHING, Times(gone_s, floor.soft_s))


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")
