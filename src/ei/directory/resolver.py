"""Asks other directories, keeps what they answer, and keeps it true for as long as it is used."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ei.directory.asking import Asks, AskStatistics
from ei.directory.cache import Cache, Entry
from ei.directory.messages import Answer, Ask, Message, Query, Refused, Release
from ei.directory.places import Places
from ei.directory.statements import Reader, Statement, check_newer, is_same, word_of
from ei.errors import IntegrityError
from ei.records.fields import Refused as RecordRefused
from ei.sdk.packets import Address

LEASE_S = 120
"""What is asked for; renewed at half of it."""

USE_S = 60.0
"""What was not needed for so long is not renewed. A service in use asks every 10 s or so."""

UNLEASED_USE_S = 15.0
"""Likewise for what must be asked for again every second."""

RETRY_S = 1.0
MAX_RETRY_S = 30.0
PACE_S = 0.0005
"""Between the leases that are asked for anew when their directory is gone: 2,000 a second."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A question came to its end, or an answer changed.

    Attributes:
        statement: `None` when nobody answered.
        reason: Then: why.
        is_changed: It says something else than before.
    """

    query: Query
    statement: Statement | None
    reason: str = ""
    is_changed: bool = False


class ResolverStatistics(msgspec.Struct, frozen=True):
    """What is kept, how many of it under a lease, and the questions."""

    answers: int
    leased: int
    asks: AskStatistics


class Resolver:
    """What one node knows from others.

    Args:
        send: Takes what is to be sent to whom.
        count: Takes the word of each refusal.
        is_followed: Whether somebody else is to be told of changes of an answer.

    Attributes:
        deadlines, checks: When `poll` has something to do: for questions, and for answers.
    """

    def __init__(
        self,
        *,
        places: Places,
        reader: Reader,
        send: Callable[[Address, Message], None],
        count: Callable[[str], None],
        is_followed: Callable[[Query], bool],
    ) -> None:
        self._places = places
        self._reader = reader
        self._send = send
        self._count = count
        self._is_followed = is_followed
        self._asks = Asks()
        self._cache = Cache()
        self.deadlines = self._asks.deadlines
        self.checks = self._cache.checks
        self._settled: list[Settled] = []

    def __repr__(self) -> str:
        return f"<Resolver {self._cache!r} {self._asks!r}>"

    # -- asking ----------------------------------------------------------------------------------

    def use(self, query: Query, *, now_s: float) -> Entry | None:
        """Return what is known and counts; it is kept true for a while from now on."""
        entry = self._cache.use(query, now_s=now_s)
        if entry is not None and entry.fresh_until_s <= now_s:
            self._begin(query, now_s=now_s)
        return entry

    def want(self, query: Query, *, now_s: float) -> None:
        """Ask, unless that is under way; `take_settled` has the end of it."""
        self._begin(query, now_s=now_s)

    def take_settled(self) -> list[Settled]:
        """Return what was settled since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def _begin(self, query: Query, *, now_s: float) -> None:
        if query in self._asks:
            return
        directories = self._places.asked_about(query)
        others = self._places.asked_instead(query)
        entry = self._cache.look(query)
        if entry is not None and entry.leased_by in directories:  # a renewal
            first = entry.leased_by
            directories = (first, *(each for each in directories if each != first))
        if not self._asks.begin(query, directories, others, now_s=now_s):
            self._fail(query, "busy" if directories else "no_directory", now_s=now_s)
            return
        self._ask_next(query, now_s=now_s)

    def _ask_next(self, query: Query, *, now_s: float) -> None:
        peer = self._asks.next_peer(query, now_s=now_s)
        if peer is None:
            self._fail(query, "no_answer", now_s=now_s)
        else:
            self._send(peer, Ask(query, LEASE_S))

    def _fail(self, query: Query, reason: str, *, now_s: float) -> None:
        self._settled.append(Settled(query, None, reason))
        entry = self._cache.look(query)
        if entry is not None:
            entry.failures += 1
            wait_s = min(RETRY_S * 2 ** (entry.failures - 1), MAX_RETRY_S)
            self._cache.check_at(query, now_s + wait_s)

    # -- being answered --------------------------------------------------------------------------

    def take_answer(self, sender: Address, answer: Answer, *, now_s: float, unix_s: float) -> None:
        """Take an answer, asked for or told because it changed."""
        query = answer.query
        entry = self._cache.look(query)
        is_asked = self._asks.is_asked(query, sender)
        if not is_asked and (entry is None or not self._may_tell(sender, query)):
            self._count("unasked")
            if answer.is_leased:
                self._send(sender, Release(query))
            return
        try:
            statement = self._read(answer, entry, now_s=now_s, unix_s=unix_s)
        except (IntegrityError, RecordRefused) as refused:
            self._count(word_of(refused))
            if is_asked:
                self._ask_another(query, sender, now_s=now_s)
            return
        self._asks.end(query)
        self._asks.mark_up(sender)
        self._keep(sender, answer, statement, now_s=now_s)
        before = None if entry is None else entry.statement
        self._settled.append(
            Settled(query, statement, is_changed=before is None or not is_same(statement, before))
        )

    def _may_tell(self, sender: Address, query: Query) -> bool:
        places = self._places
        return sender in places.asked_about(query) or sender in places.asked_instead(query)

    def take_refused(self, sender: Address, refused: Refused, *, now_s: float) -> None:
        """Take it that a directory does not answer."""
        if not self._asks.is_asked(refused.query, sender):
            self._count("unasked")
            return
        self._ask_another(refused.query, sender, now_s=now_s)

    def _ask_another(self, query: Query, instead_of: Address, *, now_s: float) -> None:
        if self._asks.refuse(query, instead_of):
            self._ask_next(query, now_s=now_s)
        else:
            self._fail(query, "no_answer", now_s=now_s)

    def _read(
        self, answer: Answer, entry: Entry | None, *, now_s: float, unix_s: float
    ) -> Statement:
        known = None if entry is None else entry.statement
        if known is not None and known.envelopes == answer.envelopes and known.expires_s > now_s:
            return known  # by the monotonic clock: the wall clock may have jumped meanwhile
        statement = self._reader.read(answer.query, answer.envelopes, now_s=now_s, unix_s=unix_s)
        if known is not None and known.expires_s > now_s:
            check_newer(statement, known)
        return statement

    def _keep(self, sender: Address, answer: Answer, statement: Statement, *, now_s: float) -> None:
        query, before = answer.query, self._cache.look(answer.query)
        lifetime_s = max(1, answer.lifetime_s)
        fresh_until_s = min(now_s + lifetime_s, statement.expires_s)
        entry = Entry(
            statement,
            fresh_until_s,
            sender if answer.is_leased else None,
            now_s if before is None else before.used_s,
        )
        for evicted, lost in self._cache.put(query, entry):
            if lost.leased_by is not None:
                self._send(lost.leased_by, Release(evicted))
        left_s = fresh_until_s - now_s
        self._cache.check_at(query, now_s + (left_s / 2 if answer.is_leased else left_s))

    # -- time, peers, records --------------------------------------------------------------------

    def peer_down(self, peer: Address, *, now_s: float) -> None:
        """Ask others what `peer` was asked, and what it would have told."""
        self._asks.mark_down(peer, now_s=now_s)
        for query in self._asks.asked_last(peer):
            self._ask_next(query, now_s=now_s)
        lost = [(query, entry) for query, entry in self._cache.items() if entry.leased_by == peer]
        for index, (query, entry) in enumerate(lost):
            entry.leased_by = None
            entry.fresh_until_s = now_s
            self._cache.check_at(query, now_s + index * PACE_S)

    def peer_up(self, peer: Address) -> None:
        """Ask `peer` in its turn again."""
        self._asks.mark_up(peer)

    def poll(self, now_s: float) -> None:
        """Do what time asks for."""
        while (query := self._asks.take_due(now_s)) is not None:
            self._ask_next(query, now_s=now_s)
        while (query := self._cache.take_due(now_s)) is not None:
            self._check(query, now_s=now_s)

    def _check(self, query: Query, *, now_s: float) -> None:
        entry = self._cache.look(query)
        if entry is None:
            return
        use_s = USE_S if entry.leased_by is not None or entry.failures else UNLEASED_USE_S
        if self._is_followed(query) or now_s - entry.used_s < use_s:
            self._begin(query, now_s=now_s)
        elif entry.fresh_until_s > now_s:
            self._cache.check_at(query, entry.fresh_until_s)
        else:
            self._cache.remove(query)

    def change(self, places: Places, reader: Reader, *, now_s: float, unix_s: float) -> None:
        """Go over to other records; what does not count by them is forgotten."""
        self._places, self._reader = places, reader
        for query, entry in self._cache.items():
            known = entry.statement
            try:
                weighed = reader.weigh(
                    query, known.envelopes, known.opened, now_s=now_s, unix_s=unix_s
                )
            except RecordRefused as refused:
                if refused.word in {"expired", "lives_too_long"}:
                    continue  # a wall clock that jumped; `expires_s` sees to it
                self._count(refused.word)
                self._cache.remove(query)
                self._settled.append(Settled(query, None, refused.word, is_changed=True))
                continue
            entry.statement = Statement(
                weighed.record, known.envelopes, known.opened, known.expires_s
            )
            if not is_same(weighed, known):
                self._settled.append(Settled(query, entry.statement, is_changed=True))

    def statistics(self) -> ResolverStatistics:
        """Return how much there is."""
        leased = sum(entry.leased_by is not None for _, entry in self._cache.items())
        return ResolverStatistics(len(self._cache), leased, self._asks.statistics())
