"""Questions that are under way: one directory after another, until one answers or time is over."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from ei.directory.deadlines import Deadlines
from ei.directory.messages import Query
from ei.sdk.packets import Address

FIRST_S = 0.3
"""How long the first directory has; services hold a packet for a second, which is time for two."""

GIVE_UP_S = 4.5
"""No packet waits for longer (the holds of the execution environment end at 5 s)."""

DOWN_S = 10.0
"""How long a directory that did not answer is asked last."""

MAX_ASKS = 8_192


@dataclass(slots=True)
class Ask:
    """One question: who is asked in which order, how often somebody was, and since when."""

    order: tuple[Address, ...]
    since_s: float
    attempts: int = 0
    asked: set[Address] = field(default_factory=set[Address])

    @property
    def last(self) -> Address:
        """Who was asked last."""
        return self.order[(self.attempts - 1) % len(self.order)]

    @property
    def patience_s(self) -> float:
        """How long to wait for who was asked last: doubled with each round."""
        return FIRST_S * float(2 ** ((self.attempts - 1) // len(self.order)))


class AskStatistics(msgspec.Struct, frozen=True):
    """Questions under way; how many were begun, and given up without an answer."""

    waiting: int
    begun: int
    given_up: int


class Asks:
    """All questions under way, at most `MAX_ASKS`. Whoever owns it sends what `next_peer` says.

    Attributes:
        deadlines: When patience ends.
    """

    def __init__(self) -> None:
        self._asks: dict[Query, Ask] = {}
        self.deadlines: Deadlines[Query] = Deadlines()
        self._down_until_s: dict[Address, float] = {}
        self._up: set[Address] = set()
        self._begun = 0
        self._given_up = 0

    def __len__(self) -> int:
        return len(self._asks)

    def __contains__(self, query: Query) -> bool:
        return query in self._asks

    def __repr__(self) -> str:
        return f"<Asks {len(self)}/{MAX_ASKS} under way>"

    def begin(
        self,
        query: Query,
        directories: Sequence[Address],
        others: Sequence[Address] = (),
        *,
        now_s: float,
    ) -> bool:
        """Begin a question; return whether there is room and anybody to ask.

        Args:
            directories: The preferred first; those that did not answer lately are asked last.
            others: Asked after those that may answer, and before those that did not.
        """
        if not directories or len(self._asks) >= MAX_ASKS:
            return False
        order = sorted(directories, key=lambda each: self._doubt(each, now_s=now_s))
        doubtful = [each for each in order if self._doubt(each, now_s=now_s)[0]]
        hopeful = order[: len(order) - len(doubtful)]
        others = sorted(others, key=lambda each: self._doubt(each, now_s=now_s))
        known = dict.fromkeys((*hopeful, *others, *doubtful))
        self._asks[query] = Ask(tuple(known), now_s)
        self._begun += 1
        return True

    def _doubt(self, directory: Address, *, now_s: float) -> tuple[bool, bool]:
        return self._down_until_s.get(directory, 0.0) > now_s, directory not in self._up

    def next_peer(self, query: Query, *, now_s: float) -> Address | None:
        """Return who is to be asked now; `None` once the question is given up, and forgotten."""
        ask = self._asks[query]
        if now_s >= ask.since_s + GIVE_UP_S:
            self.end(query)
            self._given_up += 1
            return None
        ask.attempts += 1
        ask.asked.add(ask.last)
        until_s = min(now_s + ask.patience_s, ask.since_s + GIVE_UP_S)
        self.deadlines.set(query, until_s)
        return ask.last

    def refuse(self, query: Query, peer: Address) -> bool:
        """Ask `peer` no more; return whether there is somebody else."""
        ask = self._asks[query]
        ask.order = tuple(each for each in ask.order if each != peer)
        if not ask.order:
            self.end(query)
        return bool(ask.order)

    def is_asked(self, query: Query, peer: Address) -> bool:
        """Return whether `peer` owes an answer."""
        ask = self._asks.get(query)
        return ask is not None and peer in ask.asked

    def end(self, query: Query) -> None:
        """Forget a question; no effect when it is not under way."""
        _ = self._asks.pop(query, None)
        self.deadlines.clear(query)

    def asked_last(self, peer: Address) -> list[Query]:
        """Return the questions that wait for `peer`."""
        return [query for query, ask in self._asks.items() if ask.attempts and ask.last == peer]

    def mark_down(self, peer: Address, *, now_s: float) -> None:
        """Ask `peer` last for a while."""
        self._up.discard(peer)
        self._down_until_s[peer] = now_s + DOWN_S

    def mark_up(self, peer: Address) -> None:
        """Ask `peer` in its turn again, before those to which there is no pipe yet."""
        self._up.add(peer)
        _ = self._down_until_s.pop(peer, None)

    def take_due(self, now_s: float) -> Query | None:
        """Return a question whose patience has ended; who did not answer it is asked last."""
        query = self.deadlines.take_due(now_s)
        if query is not None:
            self.mark_down(self._asks[query].last, now_s=now_s)
        return query

    def statistics(self) -> AskStatistics:
        """Return how many there are and were."""
        return AskStatistics(len(self._asks), self._begun, self._given_up)
