"""What a router says of itself: counts, its table, and why a way is used or not."""

import msgspec

from ei.routing.announcements import Offer
from ei.routing.answers import Wanted
from ei.routing.atlas import Atlas
from ei.routing.choice import Choice
from ei.routing.hearing import HearingStatistics
from ei.routing.policy import Word
from ei.routing.refusals import Refusals
from ei.routing.routes import Routes
from ei.routing.speech import SpeechStatistics
from ei.routing.table import Candidate


class RoutingStatistics(msgspec.Struct):
    """Counts since the start, and what is kept now.

    Attributes:
        received_messages, received_bytes, sent_messages, sent_bytes: Control messages.
        announced, withdrawn: Said to peers.
        accepted: Announcements that were believed and new.
        refused: Announcements and messages that were not, by reason.
        verified, verified_before, signed: Signatures; those of the second kind were known to be
            good, since the same bytes verified in this process before.
        routes, origins: Kept now.
        damped_routes, damped_peers: Not counted on now, since they came and went too often.
    """

    received_messages: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    sent_bytes: int = 0
    announced: int = 0
    withdrawn: int = 0
    accepted: int = 0
    refused: dict[str, int] = {}
    verified: int = 0
    verified_before: int = 0
    signed: int = 0
    routes: int = 0
    origins: int = 0
    damped_routes: int = 0
    damped_peers: int = 0

    def now(
        self,
        *,
        hearing: HearingStatistics,
        speech: SpeechStatistics,
        refused: dict[str, int],
        routes: Routes,
        damped_peers: int,
    ) -> "RoutingStatistics":
        """Return these counts with those of the parts."""
        return msgspec.structs.replace(
            self,
            refused=refused,
            accepted=hearing.accepted,
            verified=hearing.verified,
            verified_before=hearing.verified_before,
            announced=speech.announced,
            withdrawn=speech.withdrawn,
            signed=speech.signed,
            routes=len(routes.table),
            origins=len(routes.table.origins),
            damped_routes=len(routes.damping),
            damped_peers=damped_peers,
        )


class OfferRow(msgspec.Struct, frozen=True):
    """A service that was announced."""

    service: int
    version: str


class RouteRow(msgspec.Struct, frozen=True):
    """The way to one domain.

    Attributes:
        path: Names of the domains on it, the nearest first.
        hop: Name of the peer that leads there.
        backups: Names of the peers that stand ready.
        relation: What the neighbour is; `None` where every domain is a direct peer.
        services: Those that were announced.
    """

    domain: str
    number: int
    path: tuple[str, ...]
    hop: str
    backups: tuple[str, ...]
    relation: Word | None
    services: tuple[OfferRow, ...]


class WayRow(msgspec.Struct, frozen=True):
    """One way to a domain, and what becomes of it.

    Attributes:
        use: `used`, `backup`, or why it is neither, in words.
    """

    path: tuple[str, ...]
    hop: str
    relation: Word
    is_inside: bool
    use: str


class RefusedRow(msgspec.Struct, frozen=True):
    """One announcement of a way that was not believed lately."""

    unix_s: float
    sender: str
    path: tuple[str, ...]
    reason: str
    detail: str


class Why(msgspec.Struct, frozen=True):
    """Every way to a domain that is known.

    Attributes:
        ways: The best first; none where every domain is a direct peer.
        direct: Names of the nodes of the domain itself that lead there without an announcement.
        refused: The latest first.
    """

    domain: str
    number: int
    ways: tuple[WayRow, ...]
    direct: tuple[str, ...]
    refused: tuple[RefusedRow, ...]


def list_routes(choice: Choice, routes: Routes, atlas: Atlas) -> list[RouteRow]:
    """Return the route to each domain that is reached, by number."""
    rows: list[RouteRow] = []
    for number in sorted(atlas.domains):
        route = None if number == choice.own else choice.to_domain(number, Wanted())
        if route is None:
            continue
        ranked = routes.table.ranked(number)
        relation = ranked[0].relation if ranked else (choice.relations or {}).get(number)
        rows.append(
            RouteRow(
                domain=atlas.name(number),
                number=number,
                path=_names(route.paths[0], atlas),
                hop=atlas.node_name(route.hops[0]),
                backups=tuple(map(atlas.node_name, route.hops[1:])),
                relation=None if relation is None else relation.word,
                services=tuple(map(_offer, ranked[0].offers if ranked else ())),
            )
        )
    return rows


def explain(domain: int, choice: Choice, routes: Routes, refusals: Refusals, atlas: Atlas) -> Why:
    """Return every way to a domain with its use, and what was refused lately."""
    route = None if domain == choice.own else choice.to_domain(domain, Wanted())
    ranked = routes.table.ranked(domain)
    hops = () if route is None else route.hops
    return Why(
        domain=atlas.name(domain),
        number=domain,
        ways=tuple(
            WayRow(
                path=_names(each.path, atlas),
                hop=atlas.node_name(each.hop),
                relation=each.relation.word,
                is_inside=each.is_inside,
                use=_use(each, ranked[0], hops=hops, routes=routes),
            )
            for each in ranked
        ),
        direct=() if ranked else tuple(map(atlas.node_name, hops)),
        refused=tuple(
            RefusedRow(
                each.unix_s,
                atlas.node_name(each.sender),
                _names(each.path, atlas),
                each.reason,
                each.detail,
            )
            for each in refusals.of(domain)
        ),
    )


def _use(candidate: Candidate, best: Candidate, *, hops: tuple[bytes, ...], routes: Routes) -> str:
    if candidate is best:
        return "used, though it came and went too often" if routes.is_damped(best) else "used"
    if routes.is_damped(candidate):
        return "last resort: it came and went too often"
    standing = "backup" if candidate.hop in hops else "not used"
    if candidate.relation != best.relation:
        return f"{standing}: a {best.relation.word} is preferred to a {candidate.relation.word}"
    if len(candidate.path) != len(best.path):
        return f"{standing}: the path is longer by {len(candidate.path) - len(best.path)}"
    if candidate.is_inside != best.is_inside:
        return f"{standing}: the own pipe is preferred to another node of the domain"
    return f"{standing}: farther away, or of a higher number"


def _offer(offer: Offer) -> OfferRow:
    return OfferRow(offer.service, ".".join(map(str, offer.version)))


def _names(path: tuple[int, ...], atlas: Atlas) -> tuple[str, ...]:
    return tuple(map(atlas.name, path))
