"""The routing of one node: what neighbours announce comes in, what they are told goes out. Pure.

router = Router(keys=..., domain_number=..., atlas=Atlas(records), policy=..., random=...)
out = router.peer_changed(peer, is_up=True, now_s=...)      each out: [(peer, control message)]
out = router.take(sender, message, now_s=..., unix_s=...)   a control message of service 3
out = router.poll(now_s=..., unix_s=...)                    at `next_deadline_s()`, or before
router.route_to(domain)                                     who leads there
router.take_changes()                                       whose answer is no longer the same

Within a domain each node tells each other one what its neighbours announced to it, and none tells
on what it was told so; so a domain's nodes have pipes with one another. Without a policy every
other domain is a direct peer: nothing is announced, and the nodes of a domain lead there.
"""

from collections.abc import Collection, Iterable, Mapping
from random import Random

from ei.errors import IntegrityError
from ei.records.addresses import domain_number_of
from ei.records.keys import Keys
from ei.routing.announcements import Offer, Version
from ei.routing.answers import Route
from ei.routing.atlas import Atlas
from ei.routing.choice import Choice
from ei.routing.damping import LOOK_S, LOSS, Damping
from ei.routing.hearing import Hearing
from ei.routing.memo import Memo
from ei.routing.messages import Inside, Start, Update, read_message, write_message
from ei.routing.policy import Policy, Relation, is_mismatch
from ei.routing.refusals import Refusals
from ei.routing.routes import LEAVING_S, Changes, Moved, Routes
from ei.routing.sessions import Session
from ei.routing.speech import Speech
from ei.routing.verifying import Reason
from ei.routing.views import RouteRow, RoutingStatistics, Why, explain, list_routes
from ei.sdk.packets import Address

MAX_PEER_PENALTIES = 4_096
START_LEAST_S = 2.0
"""Between two times that one peer is told all."""
SWEEP_S = 10.0
NOT_SENT_S = 5.0

Out = list[tuple[Address, bytes]]


class Router:
    """Routing of one node.

    Args:
        keys: The node's own.
        domain_number: Of its domain.
        atlas: What the records say.
        policy: Who the neighbours are; `None` makes every other domain a direct peer.
        offers: The services that this node runs.
        random: Of delays that keep nodes from acting at the same moment.
        memo: Of the process, if several routers share it.
    """

    def __init__(  # noqa: PLR0913 all that it rests on
        self,
        *,
        keys: Keys,
        domain_number: int,
        atlas: Atlas,
        policy: Policy | None,
        random: Random,
        offers: Iterable[Offer] = (),
        memo: Memo | None = None,
    ) -> None:
        self._own = domain_number
        self._address = keys.address(domain_number)
        self._atlas = atlas
        self._policy = policy
        self._relations: dict[int, Relation] = {}
        self._up: dict[Address, float] = {}
        self._sessions: dict[Address, Session] = {}
        self._routes = Routes(self._up.get)
        self._peer_damping = Damping[Address](limit=MAX_PEER_PENALTIES)
        self._refusals = Refusals()
        memo = Memo() if memo is None else memo
        self._hearing = Hearing(
            domain_number, self._routes, self._refusals, self._peer_damping, memo=memo
        )
        self._hearing.use(atlas)
        self._speech = Speech(keys, domain_number, self._routes, self._sessions, random=random)
        self._speech.offer(offers, now_s=0.0)
        self._statistics = RoutingStatistics()
        self._sweep_s = 0.0
        self._set_relations()

    def __repr__(self) -> str:
        return (
            f"<Router of {self._atlas.node_name(self._address)}:"
            f" {len(self._sessions)} sessions, {self._routes!r}>"
        )

    # -- what happens -----------------------------------------------------------------------------

    def take(self, sender: Address, message: bytes, *, now_s: float, unix_s: float) -> Out:
        """Take in a control message; it never raises, whatever the bytes.

        Args:
            sender: The peer at the other end of the pipe.
            now_s, unix_s: Monotonic and wall clock.
        """
        self._statistics.received_messages += 1
        self._statistics.received_bytes += len(message)
        try:
            read = read_message(message)
        except IntegrityError as error:
            self._refusals.note(sender, "malformed", str(error), unix_s=unix_s)
            return []
        out = [] if sender in self._up else self.peer_changed(sender, is_up=True, now_s=now_s)
        session = self._sessions.get(sender)
        if session is None:
            self._refusals.note(sender, *self._why_no_session(sender), unix_s=unix_s)
            return out
        match read:
            case Start():
                self._take_start(session, now_s=now_s)
            case Update() if not session.is_inside:
                heard = self._hearing.take_update(session, read, now_s=now_s, unix_s=unix_s)
                self._moved(heard, now_s=now_s)
            case Inside() if session.is_inside:
                if self._hearing.take_offers(session, read):
                    self._speech.renew(now_s=now_s)
                heard = self._hearing.take_inside(session, read, now_s=now_s, unix_s=unix_s)
                self._moved(heard, now_s=now_s)
            case _:
                detail = f"{type(read).__name__} is not for who is {self._role(sender)}"
                self._refusals.note(sender, "malformed", detail, unix_s=unix_s)
        return out + self._ask(session, now_s=now_s)

    def peer_changed(
        self, peer: Address, *, is_up: bool, now_s: float, round_trip_s: float | None = None
    ) -> Out:
        """Note that a pipe came up or went down.

        Args:
            peer: A node; others are of no concern here.
            round_trip_s: Smoothed, if it is known.
        """
        if not self._atlas.is_node(peer) or (not is_up and peer not in self._up):
            return []
        domain = domain_number_of(peer)
        if not is_up:
            del self._up[peer]
            self._end(peer, now_s=now_s)
            _ = self._peer_damping.add(peer, LOSS, now_s=now_s)
            self._note_nodes(peer, domain)
            return []
        if peer not in self._up:
            self._up[peer] = FAR_S if round_trip_s is None else round_trip_s
            self._note_nodes(peer, domain)
            return self._begin(peer, now_s=now_s, round_trip_s=round_trip_s)
        return []

    def measured(self, round_trips: Mapping[Address, float], *, now_s: float) -> None:
        """Note smoothed round trips in seconds; peers that are not up are of no concern."""
        for peer in self._up.keys() & round_trips.keys():
            before, after = self._up[peer], max(round_trips[peer], 1e-6)
            if before != LEAVING_S and max(before / after, after / before) >= FARTHER:
                self._move(peer, after, now_s=now_s)

    def peer_leaves(self, peer: Address, *, now_s: float) -> None:
        """Note that a peer will be gone in a moment: others lead on wherever there are others."""
        if peer in self._up:
            self._move(peer, LEAVING_S, now_s=now_s)
            self._note_nodes(peer, domain_number_of(peer))

    def not_sent(self, peer: Address, *, now_s: float) -> None:
        """Note that a message to a peer could not be sent: it is told all again a little later."""
        session = self._sessions.get(peer)
        if session is not None:
            session.outlet.again(at_s=now_s + NOT_SENT_S)

    def poll(self, *, now_s: float, unix_s: float) -> Out:
        """Do what is due."""
        if now_s >= self._sweep_s:
            self._sweep(now_s=now_s)
        out = [sent for each in self._sessions.values() for sent in self._ask(each, now_s=now_s)]
        for said in self._speech.speak(now_s=now_s, unix_s=unix_s):
            self._count(said[1])
            out.append(said)
        return out

    def _sweep(self, *, now_s: float) -> None:
        self._moved(self._routes.expire(now_s=now_s), now_s=now_s)
        self._moved(self._routes.reuse(now_s=now_s), now_s=now_s)
        _ = self._peer_damping.take_reusable(now_s=now_s)
        for session in self._sessions.values():
            session.outlet.forget(now_s=now_s)
        is_damped = len(self._routes.damping) or len(self._peer_damping)
        self._sweep_s = now_s + (LOOK_S if is_damped else SWEEP_S)

    def next_deadline_s(self) -> float:
        """Return when `poll` has something to do at the latest."""
        due_s = [self._sweep_s, self._speech.refresh_s]
        due_s += [each.ask_s for each in self._sessions.values() if each.ask_s is not None]
        due_s += [
            each.outlet.due_s for each in self._sessions.values() if each.outlet.due_s is not None
        ]
        return min(due_s)

    def update(self, atlas: Atlas, policy: Policy | None, *, now_s: float, unix_s: float) -> Out:
        """Go over to new records and a new policy; what no longer holds by them is forgotten."""
        is_same = atlas == self._atlas and policy == self._policy
        self._atlas = atlas
        self._hearing.use(atlas)
        if is_same:
            return []
        self._policy = policy
        self._set_relations()
        for peer in [each for each in self._up if not atlas.is_node(each)]:
            _ = self.peer_changed(peer, is_up=False, now_s=now_s)
        for peer, session in list(self._sessions.items()):
            if self._role(peer) != (True, session.relation):
                self._end(peer, now_s=now_s)
        out = [
            sent
            for peer in self._up
            if peer not in self._sessions
            for sent in self._begin(peer, now_s=now_s)
        ]
        self._moved(self._hearing.judge_again(now_s=now_s, unix_s=unix_s), now_s=now_s)
        self._routes.note(atlas.domains)
        return out

    def set_offers(self, offers: Iterable[Offer], *, now_s: float) -> None:
        """Say which services this node runs from now on."""
        self._speech.offer(offers, now_s=now_s)

    # -- what is asked ----------------------------------------------------------------------------

    def route_to(
        self,
        domain: int,
        *,
        avoid: Collection[int] = (),
        require: Collection[int] = (),
        came_from: int = 0,
    ) -> Route | None:
        """Return who leads to a domain; `None` when nobody does who is allowed to.

        Args:
            avoid: Domains that must not be on the way, the last one included.
            require: Domains that must be on it.
            came_from: The neighbour domain that handed the packet over, which gets only what was
                announced to it; 0 for a packet of this domain.
        """
        return self._choice().to_domain(domain, self._choice().wanted(avoid, require, came_from))

    def service_route(
        self,
        service: int,
        *,
        version: Version | None = None,
        avoid: Collection[int] = (),
        require: Collection[int] = (),
        came_from: int = 0,
    ) -> Route | None:
        """Return who leads to the nearest domain that offers a service; see `route_to`.

        The own domain is the nearest, by its other nodes that offer it; then the shortest path
        counts, then what the neighbour is.

        Args:
            version: The least that will do, of the same major version; `None` for any.
        """
        choice = self._choice()
        return choice.to_service(service, version, choice.wanted(avoid, require, came_from))

    def take_changes(self) -> Changes:
        """Return whose answers may differ from those before, and forget it."""
        return self._routes.take_changes()

    def statistics(self) -> RoutingStatistics:
        """Return the counts since the start, and what is kept now."""
        return self._statistics.now(
            hearing=self._hearing.statistics,
            speech=self._speech.statistics,
            refused=self._refusals.counts,
            routes=self._routes,
            damped_peers=len(self._peer_damping),
        )

    @property
    def is_meshed(self) -> bool:
        """Whether every other domain is a direct peer, for want of a policy."""
        return self._policy is None

    def table(self) -> list[RouteRow]:
        """Return the route to each domain that is reached, by number: for `ei route show`."""
        return list_routes(self._choice(), self._routes, self._atlas)

    def why(self, domain: int) -> Why:
        """Return every way to a domain and why it is used or not: for `ei route why`."""
        return explain(domain, self._choice(), self._routes, self._refusals, self._atlas)

    # -- peers ------------------------------------------------------------------------------------

    def _choice(self) -> Choice:
        return Choice(
            own=self._own,
            address=self._address,
            atlas=self._atlas,
            relations=None if self._policy is None else self._relations,
            routes=self._routes,
            up=self._up,
            sessions=self._sessions,
        )

    def _set_relations(self) -> None:
        known = {} if self._policy is None else self._policy.by_number(self._atlas)
        self._mismatched = {
            number
            for number, relation in known.items()
            if is_mismatch(self._own, number, relation, self._atlas)
        }
        self._relations = {
            number: relation
            for number, relation in known.items()
            if number not in self._mismatched and number != self._own
        }

    def _role(self, peer: Address) -> tuple[bool, Relation | None]:
        """Return whether to talk with a peer, and what its domain is; `None` for the own one."""
        domain = domain_number_of(peer)
        if self._policy is None:
            return False, None
        if domain == self._own:
            return True, None
        relation = self._relations.get(domain)
        return relation is not None, relation

    def _why_no_session(self, sender: Address) -> tuple[Reason, str]:
        name = self._atlas.name(domain_number_of(sender))
        if domain_number_of(sender) in self._mismatched:
            return "relation_mismatch", f"the records say otherwise of {name} than the policy here"
        if self._policy is None:
            return "not_neighbour", "there is no policy here: every domain is reached directly"
        return "not_neighbour", f"the policy here does not name {name}"

    def _begin(self, peer: Address, *, now_s: float, round_trip_s: float | None = None) -> Out:
        is_spoken_to, relation = self._role(peer)
        if not is_spoken_to:
            return []
        session = self._sessions[peer] = Session(peer, domain_number_of(peer), relation)
        session.ask_s = self._peer_damping.rests_until_s(peer, now_s=now_s)
        if round_trip_s is not None:
            session.round_trip_s = round_trip_s
        return self._ask(session, now_s=now_s)

    def _end(self, peer: Address, *, now_s: float) -> None:
        session = self._sessions.pop(peer, None)
        if session is None:
            return
        if session.offers:
            self._speech.renew(now_s=now_s)
        self._moved(self._routes.remove_hop(peer, now_s=now_s), now_s=now_s)

    def _move(self, peer: Address, round_trip_s: float, *, now_s: float) -> None:
        self._up[peer] = round_trip_s
        if peer in self._sessions and round_trip_s != LEAVING_S:
            self._sessions[peer].round_trip_s = round_trip_s
        for origin, _key in list(self._routes.table.keys_of(peer)):
            self._moved([self._routes.reconsider(origin)], now_s=now_s)

    def _note_nodes(self, peer: Address, domain: int) -> None:
        """Where no announcements lead, the pipes of a domain's nodes do."""
        if self._policy is None or domain == self._own or domain in self._relations:
            self._routes.note([domain], self._atlas.services(peer))

    def _ask(self, session: Session, *, now_s: float) -> Out:
        if session.ask_s is None or session.ask_s > now_s:
            return []
        session.asked(now_s=now_s)
        message = write_message(Start())
        self._count(message)
        return [(session.peer, message)]

    def _count(self, sent: bytes) -> None:
        self._statistics.sent_messages += 1
        self._statistics.sent_bytes += len(sent)

    def _take_start(self, session: Session, *, now_s: float) -> None:
        rests_until_s = self._peer_damping.rests_until_s(session.peer, now_s=now_s)
        session.started_s = at_s = max(session.started_s + START_LEAST_S, rests_until_s)
        self._speech.start(session, at_s=at_s)

    def _moved(self, moved: Iterable[Moved], *, now_s: float) -> None:
        for each in moved:
            self._speech.note(each, now_s=now_s)


FARTHER = 2.0
FAR_S = 3_600.0
"""The round trip of a peer whose pipe is up but was not measured yet: behind all that were."""
