"""What a node believes about the ways to other domains, and whose answers have changed by it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import log2

from ei.routing.announcements import Announcement
from ei.routing.damping import CHANGE, LOSS, Damping
from ei.routing.table import Candidate, Key, Rank, Table
from ei.routing.verifying import refuse
from ei.sdk.packets import Address

REPLAY_US = 60_000_000
"""An announcement that is so much older than another of the same node is no late one, but replayed.

Sequences are Unix microseconds, and one that was refreshed arrives within seconds on all ways.
"""
MAX_PENALTIES = 65_536
LEAVING_S = 1e9
"""The round trip of a peer that will be gone in a moment: behind all others."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Domains and services whose answers may differ from those given before."""

    domains: frozenset[int] = frozenset()
    services: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one origin.

    Attributes:
        is_best_new: Another announcement is the best one now.
        neighbour: Whose direct announcement came or went; `None` for none.
    """

    origin: int
    is_best_new: bool
    neighbour: int | None = None


@dataclass(slots=True)
class _Noted:
    domains: set[int] = field(default_factory=set[int])
    services: set[int] = field(default_factory=set[int])


class Routes:
    """Candidates, their damping and order.

    Args:
        round_trip: Of a peer in seconds; `None` while it is not known.
    """

    def __init__(self, round_trip: Callable[[Address], float | None]) -> None:
        self._round_trip = round_trip
        self.table = Table(self._rank)
        self.damping = Damping[tuple[int, Key]](limit=MAX_PENALTIES)
        self._noted = _Noted()
        self._best: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<Routes {self.table!r}, {self.damping!r}>"

    def best(self, origin: int) -> Candidate | None:
        """Return the best candidate, unless all are damped: nobody is told of those."""
        ranked = self.table.ranked(origin)
        return ranked[0] if ranked and not self.is_damped(ranked[0]) else None

    def direct(self, origin: int, neighbour: int) -> Candidate | None:
        """Return the best candidate that a neighbour announced to this very node."""
        return next(
            (
                each
                for each in self.table.ranked(origin)
                if not each.is_inside and each.path[0] == neighbour and not self.is_damped(each)
            ),
            None,
        )

    def is_damped(self, candidate: Candidate) -> bool:
        """Return whether a candidate came and went too often."""
        return len(self.damping) > 0 and self.damping.is_damped((candidate.origin, candidate.key))

    def check_sequence(self, said: Announcement, *, key: Key, signer: Address) -> None:
        """Check that an announcement is not one from before.

        Raises:
            Refused: the node of the origin has said something newer.
        """
        for known in self.table.ranked(said.origin):
            if known.signer == signer:
                is_same = known.key == key and known.path == said.path
                if said.sequence < known.sequence - (0 if is_same else REPLAY_US):
                    late_s = (known.sequence - said.sequence) / 1e6
                    refuse("replayed", f"{late_s:.1f} s older than what is known")

    def put(self, candidate: Candidate, *, now_s: float) -> Moved:
        """Keep a candidate that holds, in the place of the one before.

        Raises:
            Refused: the table is full.
        """
        before = self.table.get(candidate.origin, candidate.key)
        self.table.put(candidate)
        if before is not None and before.path != candidate.path:
            _ = self.damping.add((candidate.origin, candidate.key), CHANGE, now_s=now_s)
        return self.reconsider(
            candidate.origin, neighbour=None if candidate.is_inside else candidate.path[0]
        )

    def remove(self, origin: int, key: Key, *, now_s: float, is_flap: bool) -> Iterator[Moved]:
        """Forget a candidate; yield what that changes, nothing when there is none.

        Args:
            is_flap: Whether that counts against it, should it come again.
        """
        before = self.table.get(origin, key)
        if before is None or not self.table.remove(origin, key):
            return
        if is_flap:
            _ = self.damping.add((origin, key), LOSS, now_s=now_s)
        yield self.reconsider(origin, neighbour=None if before.is_inside else key[1])

    def remove_hop(self, hop: Address, *, now_s: float) -> Iterator[Moved]:
        """Forget all that leads through a peer."""
        for origin, key in list(self.table.keys_of(hop)):
            yield from self.remove(origin, key, now_s=now_s, is_flap=False)

    def reuse(self, *, now_s: float) -> list[Moved]:
        """Count again on what has kept still for long enough."""
        return [
            self.reconsider(origin, neighbour=key[1])
            for origin, key in self.damping.take_reusable(now_s=now_s)
        ]

    def expire(self, *, now_s: float) -> Iterator[Moved]:
        """Forget what was not announced again in time."""
        for origin, key in self.table.expired(now_s=now_s):
            yield from self.remove(origin, key, now_s=now_s, is_flap=False)

    def reconsider(self, origin: int, *, neighbour: int | None = None) -> Moved:
        """Arrange the candidates of an origin again, and note what changes by it."""
        before, after = self.table.rank_again(origin)
        self._note(origin, before, after)
        best = self.best(origin)
        was = self._best.pop(origin, None)
        if best is None:
            return Moved(origin, was is not None, neighbour)
        self._best[origin] = best.digest
        return Moved(origin, was != best.digest, neighbour)

    def note(self, domains: Iterable[int] = (), services: Iterable[int] = ()) -> None:
        """Note that the answers about these may have changed."""
        self._noted.domains.update(domains)
        self._noted.services.update(services)

    def take_changes(self) -> Changes:
        """Return what has changed since the last call."""
        noted, self._noted = self._noted, _Noted()
        return Changes(frozenset(noted.domains), frozenset(noted.services))

    def _note(
        self, origin: int, before: tuple[Candidate, ...], after: tuple[Candidate, ...]
    ) -> None:
        old = frozenset(before[0].offers if before else ())
        new = frozenset(after[0].offers if after else ())
        if [(each.hop, each.path) for each in before] != [(each.hop, each.path) for each in after]:
            self.note([origin], (offer.service for offer in old | new))
        elif old != new:
            self.note(services=(offer.service for offer in old ^ new))

    def _rank(self, candidate: Candidate) -> Rank:
        """Order by what is good for the domain, then for this node, then by number.

        Up to the length of the path all nodes of a domain agree, and each prefers its own pipes
        out of the domain: so no two of them send a packet to and fro.
        """
        round_trip_s = self._round_trip(candidate.hop)
        is_leaving = round_trip_s is not None and round_trip_s >= LEAVING_S
        return (
            is_leaving or self.is_damped(candidate),
            candidate.relation,
            len(candidate.path),
            candidate.is_inside,
            _bucket(round_trip_s),
            candidate.path[0],
            candidate.hop,
        )


def _bucket(round_trip_s: float | None) -> int:
    """Return the round trip as a power of two of milliseconds: what wavers a little is the same."""
    if round_trip_s is None:
        return 64
    return round(log2(max(round_trip_s * 1e3, 0.0625)))
