"""Who is told when an answer changes: each for a lease, so many of each, so many in all."""

from collections import Counter

import msgspec

from ei.directory.deadlines import Deadlines
from ei.directory.messages import Query
from ei.sdk.packets import Address

MAX_OF_RECORD = 1_024
"""Subscribers of one query; whoever comes later asks again every second."""

MAX_OF_PEER = 65_536
MAX_SUBSCRIPTIONS = 262_144


class SubscriptionStatistics(msgspec.Struct, frozen=True):
    """What `Subscriptions` holds, and how often it was full."""

    subscriptions: int
    queries: int
    full: int


class Subscriptions:
    """Leases by query and peer, on the monotonic clock.

    Args:
        limit_of_record: Subscribers of one query.

    Attributes:
        deadlines: When leases end.
    """

    def __init__(self, *, limit_of_record: int = MAX_OF_RECORD) -> None:
        self._limit_of_record = limit_of_record
        self._until_s: dict[Query, dict[Address, float]] = {}
        self._held: Counter[Address] = Counter()
        self.deadlines: Deadlines[tuple[Query, Address]] = Deadlines()
        self._full = 0

    def __len__(self) -> int:
        return len(self.deadlines)

    def __contains__(self, query: Query) -> bool:
        return query in self._until_s

    def __repr__(self) -> str:
        return f"<Subscriptions {len(self)}/{MAX_SUBSCRIPTIONS} of {len(self._until_s)} queries>"

    def add(self, query: Query, peer: Address, *, until_s: float) -> bool:
        """Tell `peer` of changes until then; return whether there was room."""
        peers = self._until_s.get(query, {})
        if peer not in peers:
            if (
                len(peers) >= self._limit_of_record
                or len(self.deadlines) >= MAX_SUBSCRIPTIONS
                or self._held[peer] >= MAX_OF_PEER
            ):
                self._full += 1
                return False
            self._held[peer] += 1
        self._until_s.setdefault(query, peers)[peer] = until_s
        self.deadlines.set((query, peer), until_s)
        return True

    def remove(self, query: Query, peer: Address) -> None:
        """Tell `peer` no more; no effect when it is not told."""
        peers = self._until_s.get(query, {})
        if peers.pop(peer, None) is None:
            return
        self.deadlines.clear((query, peer))
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]
        if not peers:
            del self._until_s[query]

    def of(self, query: Query) -> dict[Address, float]:
        """Return who is told of a query, and until when."""
        return dict(self._until_s.get(query, {}))

    def queries(self) -> list[Query]:
        """Return what somebody is told of."""
        return list(self._until_s)

    def expire(self, now_s: float) -> None:
        """End the leases whose time is over."""
        while (due := self.deadlines.take_due(now_s)) is not None:
            self.remove(*due)

    def statistics(self) -> SubscriptionStatistics:
        """Return how many there are."""
        return SubscriptionStatistics(len(self.deadlines), len(self._until_s), self._full)
