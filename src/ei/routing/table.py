"""All routes that a node knows: for each origin its candidates, in the order of preference."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from ei.routing.announcements import Offer
from ei.routing.policy import Relation
from ei.routing.verifying import refuse
from ei.sdk.packets import Address

MAX_CANDIDATES = 1_000_000

Key = tuple[Address, int]
"""The peer that leads there, and the neighbour domain whose announcement it is."""


class Candidate(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One way to an origin that a neighbour announced.

    Attributes:
        announced: As received.
        digest: After the last hop; of two with the same digest nothing differs.
        signer: The node of the origin that says it.
        path: The nearest domain first, the origin last.
        hop: The peer that leads there: a node of the neighbour or, inside, of this domain.
        relation: What the neighbour is to this domain.
        deadline_s: When it ends, on the monotonic clock: a wall clock that jumps ends no route.
    """

    announced: bytes
    digest: bytes
    origin: int
    signer: Address
    sequence: int
    path: tuple[int, ...]
    offers: tuple[Offer, ...]
    hop: Address
    is_inside: bool
    relation: Relation
    deadline_s: float

    @property
    def key(self) -> Key:
        """Its place among the candidates of its origin."""
        return self.hop, self.path[0]


Rank = tuple[bool, int, int, bool, int, int, Address]
NO_CANDIDATES: tuple[Candidate, ...] = ()


class Table:
    """Candidates by origin.

    Args:
        rank: The smaller, the better; a whole order.
        limit: Candidates in all.
    """

    def __init__(self, rank: Callable[[Candidate], Rank], *, limit: int = MAX_CANDIDATES) -> None:
        self._rank = rank
        self._limit = limit
        self._candidates: dict[int, dict[Key, Candidate]] = {}
        self._ranked: dict[int, tuple[Candidate, ...]] = {}
        self._offering: dict[int, set[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Table of {self._count} candidates for {len(self._ranked)} origins>"

    @property
    def origins(self) -> Mapping[int, tuple[Candidate, ...]]:
        """The candidates of each origin, the best first."""
        return self._ranked

    def ranked(self, origin: int) -> tuple[Candidate, ...]:
        """Return the candidates of an origin, the best first."""
        return self._ranked.get(origin, NO_CANDIDATES)

    def get(self, origin: int, key: Key) -> Candidate | None:
        """Return one candidate."""
        return self._candidates.get(origin, {}).get(key)

    def keys_of(self, hop: Address) -> Iterator[tuple[int, Key]]:
        """Yield (origin, key) of all candidates that this peer leads to."""
        for origin, candidates in self._candidates.items():
            for key in candidates:
                if key[0] == hop:
                    yield origin, key

    def offering(self, service: int) -> Iterable[int]:
        """Return the origins whose best candidate offers a service."""
        return self._offering.get(service, ())

    def put(self, candidate: Candidate) -> None:
        """Keep a candidate in the place of the one before; `rank_again` makes it count.

        Raises:
            Refused: the table is full.
        """
        candidates = self._candidates.setdefault(candidate.origin, {})
        if candidate.key not in candidates:
            if self._count >= self._limit:
                refuse("table_full", f"{self._count} routes are kept, allowed are {self._limit}")
            self._count += 1
        candidates[candidate.key] = candidate

    def remove(self, origin: int, key: Key) -> bool:
        """Forget a candidate; return whether there was one. `rank_again` makes it count."""
        candidates = self._candidates.get(origin)
        if candidates is None or candidates.pop(key, None) is None:
            return False
        self._count -= 1
        if not candidates:
            del self._candidates[origin]
        return True

    def rank_again(self, origin: int) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
        """Arrange the candidates of an origin; return them as they were and as they are now."""
        before = self._ranked.get(origin, NO_CANDIDATES)
        candidates = self._candidates.get(origin)
        if candidates is None:
            after = NO_CANDIDATES
            _ = self._ranked.pop(origin, None)
        elif len(candidates) == 1:
            after = self._ranked[origin] = tuple(candidates.values())
        else:
            after = self._ranked[origin] = tuple(sorted(candidates.values(), key=self._rank))
        self._note_offers(origin, before, after)
        return before, after

    def expired(self, *, now_s: float) -> list[tuple[int, Key]]:
        """Return (origin, key) of the candidates whose time is over."""
        return [
            (origin, key)
            for origin, candidates in self._candidates.items()
            for key, candidate in candidates.items()
            if candidate.deadline_s <= now_s
        ]

    def _note_offers(
        self, origin: int, before: tuple[Candidate, ...], after: tuple[Candidate, ...]
    ) -> None:
        old, new = _services(before), _services(after)
        if old == new:
            return
        for service in old - new:
            offering = self._offering[service]
            offering.discard(origin)
            if not offering:
                del self._offering[service]
        for service in new - old:
            self._offering.setdefault(service, set()).add(origin)


def _services(ranked: tuple[Candidate, ...]) -> set[int]:
    return {offer.service for offer in ranked[0].offers} if ranked else set()
