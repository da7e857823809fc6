"""What a node hears from its peers about routes: believed, or refused for a named reason."""

from collections.abc import Iterator

import msgspec

from ei.errors import IntegrityError
from ei.records.addresses import domain_number_of
from ei.records.record_set import RecordSet
from ei.routing.announcements import Announcement, read_announcement
from ei.routing.atlas import Atlas
from ei.routing.damping import Damping
from ei.routing.memo import Memo
from ei.routing.messages import Inside, Update
from ei.routing.policy import Relation, is_mismatch
from ei.routing.refusals import Refusals
from ei.routing.routes import Moved, Routes
from ei.routing.sessions import Session
from ei.routing.table import Candidate, Key
from ei.routing.verifying import MAX_LIFE_S, Reason, Refused, Verifier, refuse
from ei.sdk.packets import Address

KEEPS: frozenset[Reason] = frozenset({"expired", "lives_too_long", "replayed"})
"""Refused for these, an announcement says nothing against the one before it: a clock may have
jumped. For any other reason the sender no longer stands by what it said before."""


LIES: frozenset[Reason] = frozenset({"origin_forged", "hop_forged", "path_shortened"})
"""What no honest neighbour passes on, whatever it has heard: it would have refused it.

Not `malformed`: a later version may say more than this one reads.
"""
LIE = 500.0
"""Added to a peer's penalty: after a dozen it is not listened to, since to refuse costs time."""


class HearingStatistics(msgspec.Struct):
    """Announcements that were believed and new; signatures verified, or known to be good."""

    accepted: int = 0
    verified: int = 0
    verified_before: int = 0


class Hearing:
    """Takes in what peers say.

    Args:
        own: Number of the node's domain.
        routes: Where to keep what is believed.
        refusals: Where to note what is not.
        damping: Of peers; those that are damped are not listened to.
        memo: What verified before.

    `use` says by which records it judges: until then it believes nobody.
    """

    def __init__(
        self,
        own: int,
        routes: Routes,
        refusals: Refusals,
        damping: Damping[Address],
        *,
        memo: Memo,
    ) -> None:
        self._own = own
        self._atlas = Atlas(RecordSet())
        self._routes = routes
        self._refusals = refusals
        self._damping = damping
        self._verifier = Verifier(own, self._atlas, memo)
        self._accepted = 0

    @property
    def statistics(self) -> HearingStatistics:
        """Counts since the start."""
        verifier = self._verifier.statistics
        return HearingStatistics(self._accepted, verifier.verified, verifier.verified_before)

    def use(self, atlas: Atlas) -> None:
        """Judge by newer records from now on."""
        self._atlas = atlas
        self._verifier.use(atlas)

    def take_update(
        self, session: Session, read: Update, *, now_s: float, unix_s: float
    ) -> Iterator[Moved]:
        """Take in what a neighbour announces; yield what that changes."""
        relation = session.relation
        if relation is None or not self._is_next(session, read.number, now_s=now_s, unix_s=unix_s):
            return
        for announced in read.announced:
            yield from self._accept(
                session, announced, relation, neighbour=session.domain, now_s=now_s, unix_s=unix_s
            )
        for origin in read.withdrawn:
            yield from self._withdrawn(session, origin, session.domain, now_s=now_s)
        if not read.has_more:
            yield from self._drop_stale(session, now_s=now_s)

    def take_offers(self, session: Session, read: Inside) -> bool:
        """Take in which services a node of the own domain runs; return whether they are others."""
        if read.offers is None or read.offers == session.offers:
            return False
        changed = {*read.offers, *(session.offers or ())}
        session.offers = read.offers
        self._routes.note(services=(offer.service for offer in changed))
        return True

    def take_inside(
        self, session: Session, read: Inside, *, now_s: float, unix_s: float
    ) -> Iterator[Moved]:
        """Take in what a node of the own domain has heard; yield what that changes."""
        if not self._is_next(session, read.number, now_s=now_s, unix_s=unix_s):
            return
        for heard in read.heard:
            yield from self._accept(
                session, heard.announced, heard.relation, neighbour=None, now_s=now_s, unix_s=unix_s
            )
        for lost in read.lost:
            yield from self._withdrawn(session, lost.origin, lost.neighbour, now_s=now_s)
        if not read.has_more:
            yield from self._drop_stale(session, now_s=now_s)

    def judge_again(self, *, now_s: float, unix_s: float) -> Iterator[Moved]:
        """Forget what the records of now do not bear out; yield what that changes."""
        kept = [each for ranked in self._routes.table.origins.values() for each in ranked]
        for each in kept:
            said = read_announcement(each.announced)
            try:
                self._verifier.check_path(said, sender=each.path[0])
            except Refused as error:
                self._refusals.note(each.hop, error.reason, str(error), said, unix_s=unix_s)
                yield from self._routes.remove(each.origin, each.key, now_s=now_s, is_flap=False)

    # -- the parts --------------------------------------------------------------------------------

    def _is_next(self, session: Session, number: int, *, now_s: float, unix_s: float) -> bool:
        if self._damping.is_damped(session.peer):
            self._refusals.note(session.peer, "damped", "not listened to", unix_s=unix_s)
            session.expected = None
            session.ask_s = self._damping.rests_until_s(session.peer, now_s=now_s)
            return False
        if number == 0:
            session.stale = set(self._routes.table.keys_of(session.peer))
        return session.expects(number, now_s=now_s)

    def _accept(  # noqa: PLR0913 what is said, by whom, of whom, when
        self,
        session: Session,
        announced: bytes,
        relation: Relation,
        *,
        neighbour: int | None,
        now_s: float,
        unix_s: float,
    ) -> Iterator[Moved]:
        """Believe one announcement, or not.

        Args:
            neighbour: From whom it must be; `None` for whoever it is from.
        """
        if self._damping.is_damped(session.peer):
            return
        try:
            said = read_announcement(announced)
        except IntegrityError as error:
            self._refusals.note(session.peer, "malformed", str(error), unix_s=unix_s)
            return
        key = (session.peer, said.path[0] if neighbour is None else neighbour)
        session.stale.discard((said.origin, key))
        known = self._routes.table.get(said.origin, key)
        if known is not None and known.announced == announced:
            return
        try:
            candidate = self._judge(said, announced, relation, key, now_s=now_s, unix_s=unix_s)
            moved = self._routes.put(candidate, now_s=now_s)
        except Refused as error:
            self._refusals.note(session.peer, error.reason, str(error), said, unix_s=unix_s)
            if error.reason not in KEEPS:
                yield from self._withdrawn(session, said.origin, key[1], now_s=now_s)
            if error.reason in LIES:
                yield from self._lied(session, now_s=now_s)
        else:
            self._accepted += 1
            yield moved

    def _judge(  # noqa: PLR0913 as _accept
        self,
        said: Announcement,
        announced: bytes,
        relation: Relation,
        key: Key,
        *,
        now_s: float,
        unix_s: float,
    ) -> Candidate:
        hop, neighbour = key
        is_inside = domain_number_of(hop) == self._own
        if is_inside and is_mismatch(self._own, neighbour, relation, self._atlas):
            refuse("relation_mismatch", f"told as a {relation.word}, which the records deny")
        digest, signer = self._verifier.check(said, sender=neighbour, unix_s=unix_s)
        self._routes.check_sequence(said, key=key, signer=signer)
        ranked = self._routes.table.ranked(said.origin)
        is_known = bool(ranked) and ranked[0].offers == said.offers
        return Candidate(
            announced=announced,
            digest=digest,
            origin=said.origin,
            signer=signer,
            sequence=said.sequence,
            path=said.path,
            offers=ranked[0].offers if is_known else said.offers,
            hop=hop,
            is_inside=is_inside,
            relation=relation,
            deadline_s=now_s + min(said.expires_unix_s - unix_s, float(MAX_LIFE_S)),
        )

    def _lied(self, session: Session, *, now_s: float) -> Iterator[Moved]:
        if self._damping.add(session.peer, LIE, now_s=now_s):
            session.lost(now_s=now_s)
            yield from self._routes.remove_hop(session.peer, now_s=now_s)

    def _withdrawn(
        self, session: Session, origin: int, neighbour: int, *, now_s: float
    ) -> Iterator[Moved]:
        key = (session.peer, neighbour)
        session.stale.discard((origin, key))
        yield from self._routes.remove(origin, key, now_s=now_s, is_flap=True)

    def _drop_stale(self, session: Session, *, now_s: float) -> Iterator[Moved]:
        stale, session.stale = session.stale, set()
        for origin, key in stale:
            yield from self._routes.remove(origin, key, now_s=now_s, is_flap=False)
