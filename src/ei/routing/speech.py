"""What a node says to its peers about routes, its own domain's among them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from ei.records.keys import Keys
from ei.routing.announcements import (
    MAX_OFFERS,
    MAX_PATH,
    Announcement,
    Offer,
    Signer,
    read_announcement,
)
from ei.routing.messages import Heard, Inside, Lost, Update, write_message
from ei.routing.outlets import BATCH_S
from ei.routing.policy import may_announce
from ei.routing.routes import Moved, Routes
from ei.routing.sessions import Session
from ei.routing.table import Candidate
from ei.routing.writers import Batch, BatchWriter, KeyT, Saying
from ei.sdk.packets import Address

LIFE_S = 3_000
"""Of an announcement of the own domain: a clock that is 10 min ahead is still believed."""
REFRESH_S = (800.0, 1_200.0)
"""It is made again after a random time in this range: a third of its life."""
OFFER_BYTES = 15

Out = list[tuple[Address, bytes]]


@dataclass(slots=True)
class SpeechStatistics:
    """What was said to neighbours and to nodes of the own domain."""

    announced: int = 0
    withdrawn: int = 0
    signed: int = 0


class Speech:
    """Says what changed.

    Args:
        keys: Of the node.
        own: Number of its domain.
        routes: What there is to say.
        sessions: To whom; looked at anew each time.
        random: Spreads the times at which domains announce themselves again.
    """

    def __init__(
        self,
        keys: Keys,
        own: int,
        routes: Routes,
        sessions: Mapping[Address, Session],
        *,
        random: Random,
    ) -> None:
        self._signer = Signer(keys)
        self._own = own
        self._routes = routes
        self._sessions = sessions
        self._random = random
        self._offers: tuple[Offer, ...] = ()
        self._said: Announcement | None = None
        self._digest = b""
        self.refresh_s = 0.0
        self._statistics = SpeechStatistics()

    @property
    def statistics(self) -> SpeechStatistics:
        """Counts since the start."""
        self._statistics.signed = self._signer.signed
        return self._statistics

    def offer(self, offers: Iterable[Offer], *, now_s: float) -> None:
        """Say that this node runs these services."""
        self._offers = tuple(sorted(set(offers)))[:MAX_OFFERS]
        for session in self._sessions.values():
            session.are_offers_told = False
            if session.is_inside and session.outlet.is_started:
                session.outlet.due(now_s + BATCH_S)
        self.renew(now_s=now_s)

    def renew(self, *, now_s: float) -> None:
        """Have the domain announced again: its services are others."""
        self.refresh_s = min(self.refresh_s, now_s)

    def start(self, session: Session, *, at_s: float) -> None:
        """Tell a peer all, from the beginning."""
        origins = self._routes.table.origins
        session.are_offers_told = False
        if session.is_inside:
            session.inward.start(
                (
                    (origin, each.path[0])
                    for origin, ranked in origins.items()
                    for each in ranked
                    if not each.is_inside
                ),
                at_s=at_s,
            )
        else:
            session.outward.start((self._own, *origins), at_s=at_s)

    def note(self, moved: Moved, *, now_s: float) -> None:
        """Note whom a change is to be told."""
        for session in self._sessions.values():
            if session.is_inside:
                if moved.neighbour is not None:
                    session.inward.note((moved.origin, moved.neighbour), now_s=now_s)
            elif moved.is_best_new and (
                moved.origin in session.outward.sent
                or self._exported(moved.origin, session) is not None
            ):
                session.outward.note(moved.origin, now_s=now_s)

    def speak(self, *, now_s: float, unix_s: float) -> Out:
        """Return what is due to be said."""
        if now_s >= self.refresh_s:
            self._renew(now_s=now_s, unix_s=unix_s)
        out: Out = []
        for session in self._sessions.values():
            due_s = session.outlet.due_s
            if due_s is None or due_s > now_s:
                continue
            messages = (
                self._speak_inside(session, now_s=now_s)
                if session.is_inside
                else self._speak_outside(session, now_s=now_s)
            )
            out += [(session.peer, message) for message in messages]
        return out

    # -- to neighbours ----------------------------------------------------------------------------

    def _speak_outside(self, session: Session, *, now_s: float) -> list[bytes]:
        outlet = session.outward
        writer = BatchWriter[int](partial(self._say, session))
        outlet.flush(writer, now_s=now_s, round_trip_s=session.round_trip_s)
        messages: list[bytes] = []
        for batch, has_more in self._to_send(
            writer.batches, is_first=outlet.number == 0, is_whole=not outlet.pending
        ):
            announced = tuple(announced for _, announced in batch.announced)
            messages.append(
                write_message(Update(outlet.number, has_more, announced, tuple(batch.withdrawn)))
            )
            outlet.number += 1
        return messages

    def _say(self, session: Session, origin: int) -> Saying | None:
        if origin == self._own:
            if self._said is None:
                return None
            return Saying(
                self._digest,
                partial(self._signer.extend, self._said, self._digest, to=session.domain),
            )
        best = self._exported(origin, session)
        return None if best is None else Saying(best.digest, partial(self._pass_on, best, session))

    def _exported(self, origin: int, session: Session) -> Candidate | None:
        best = self._routes.best(origin)
        if best is None or session.relation is None or session.domain in best.path:
            return None
        if not may_announce(best.relation, session.relation) or len(best.path) >= MAX_PATH:
            return None
        return best

    def _pass_on(self, best: Candidate, session: Session) -> bytes:
        said = read_announcement(best.announced)
        return self._signer.extend(said, best.digest, to=session.domain)

    def _renew(self, *, now_s: float, unix_s: float) -> None:
        """Make the announcement of the own domain again."""
        offers = set(self._offers)
        for session in self._sessions.values():
            offers.update(session.offers or ())
        before = 0 if self._said is None else self._said.sequence
        self._said = Announcement(
            origin=self._own,
            sequence=max(before + 1, int(unix_s * 1e6)),
            expires_unix_s=int(unix_s) + LIFE_S,
            offers=tuple(sorted(offers))[:MAX_OFFERS],
        )
        self._digest = self._said.digests()[-1]
        self.refresh_s = now_s + self._random.uniform(*REFRESH_S)
        for session in self._sessions.values():
            if not session.is_inside:
                session.outward.note(self._own, now_s=now_s)

    # -- to nodes of the own domain ---------------------------------------------------------------

    def _speak_inside(self, session: Session, *, now_s: float) -> list[bytes]:
        outlet = session.inward
        offers = None if session.are_offers_told else self._offers
        session.are_offers_told = True
        writer = BatchWriter[tuple[int, int]](
            self._tell, reserved_bytes=len(offers or ()) * OFFER_BYTES
        )
        outlet.flush(writer, now_s=now_s, round_trip_s=session.round_trip_s)
        messages: list[bytes] = []
        for batch, has_more in self._to_send(
            writer.batches,
            is_first=outlet.number == 0 or offers is not None,
            is_whole=not outlet.pending,
        ):
            heard = tuple(Heard(relation, announced) for relation, announced in batch.announced)
            lost = tuple(Lost(*key) for key in batch.withdrawn)
            messages.append(write_message(Inside(outlet.number, has_more, heard, lost, offers)))
            outlet.number += 1
            offers = None
        return messages

    def _tell(self, key: tuple[int, int]) -> Saying | None:
        best = self._routes.direct(*key)
        if best is None:
            return None
        return Saying(best.digest, lambda: best.announced, best.relation)

    def _to_send(
        self, batches: list[Batch[KeyT]], *, is_first: bool, is_whole: bool
    ) -> Iterable[tuple[Batch[KeyT], bool]]:
        """Yield the batches that say something, or begin, and whether more belongs to each."""
        for place, batch in enumerate(batches):
            self._statistics.announced += len(batch.announced)
            self._statistics.withdrawn += len(batch.withdrawn)
            if batch.announced or batch.withdrawn or (is_first and place == 0):
                yield batch, place < len(batches) - 1 or not is_whole
