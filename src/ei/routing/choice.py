"""Answers where to go: by what was announced, else by the pipes to a domain's own nodes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ei.routing.announcements import Version
from ei.routing.answers import Route, Wanted, by_nearness, choose, is_version, route_of
from ei.routing.atlas import Atlas
from ei.routing.policy import Relation
from ei.routing.routes import Routes
from ei.routing.sessions import Session
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class Choice:
    """What a router knows, for one question.

    Attributes:
        own, address: The node's domain and address.
        relations: What each neighbour domain is; `None` where every domain is a direct peer.
        up: Round trips in seconds of the peers whose pipes are up.
    """

    own: int
    address: Address
    atlas: Atlas
    relations: Mapping[int, Relation] | None
    routes: Routes
    up: Mapping[Address, float]
    sessions: Mapping[Address, Session]

    def wanted(self, avoid: Collection[int], require: Collection[int], came_from: int) -> Wanted:
        """Return what a route must keep to; see `Router.route_to`."""
        source = None
        if came_from not in (0, self.own) and self.relations is not None:
            source = (came_from, self.relations.get(came_from, Relation.PEER))
        return Wanted(frozenset(avoid), frozenset(require), source)

    def to_domain(self, domain: int, wanted: Wanted) -> Route | None:
        """Return the route to a domain."""
        if domain == self.own:
            mates = [node for node in self.atlas.nodes(domain) if node != self.address]
            return self._to_mates(mates, wanted)
        chosen = choose(domain, self.routes.table.ranked(domain), wanted)
        return chosen or self._directly(domain, self.atlas.nodes(domain), wanted)

    def to_service(self, service: int, version: Version | None, wanted: Wanted) -> Route | None:
        """Return the route to the nearest domain that offers a service."""
        mates = [
            node
            for node in self.atlas.nodes(self.own)
            if node != self.address and self._is_offered_by(node, service, version)
        ]
        if mates and (route := self._to_mates(mates, wanted)) is not None:
            return route
        routes = (
            self._to_service_in(domain, service, version, wanted)
            for domain in self._offering(service)
        )
        found = [route for route in routes if route is not None]
        return min(found, key=self._nearness, default=None)

    def _offering(self, service: int) -> Iterable[int]:
        yield from self.routes.table.offering(service)
        for domain in self._adjacent():
            if not self.routes.table.ranked(domain):
                yield domain

    def _adjacent(self) -> Iterable[int]:
        """Yield the domains that are reached without any announcement."""
        others = self.atlas.domains if self.relations is None else self.relations
        return (domain for domain in others if domain != self.own)

    def _to_service_in(
        self, domain: int, service: int, version: Version | None, wanted: Wanted
    ) -> Route | None:
        ranked = self.routes.table.ranked(domain)
        if ranked:
            offering = [each for each in ranked if is_version(each.offers, service, version)]
            return choose(domain, offering, wanted)
        if version is not None:
            return None
        nodes = [node for node in self.atlas.nodes(domain) if service in self.atlas.services(node)]
        return self._directly(domain, nodes, wanted)

    def _nearness(self, route: Route) -> tuple[int, bool, int]:
        return len(route.paths[0]), route.hops[0] not in self.up, route.domain

    def _is_offered_by(self, node: Address, service: int, version: Version | None) -> bool:
        session = self.sessions.get(node)
        if session is not None and session.offers is not None:
            return is_version(session.offers, service, version)
        return version is None and service in self.atlas.services(node)

    def _to_mates(self, mates: Sequence[Address], wanted: Wanted) -> Route | None:
        if self.own in wanted.avoid or not wanted.require <= {self.own}:
            return None
        return route_of(self.own, [(node, ()) for node in by_nearness(mates, self.up.get)])

    def _directly(self, domain: int, nodes: Sequence[Address], wanted: Wanted) -> Route | None:
        """Return the route over the pipes to nodes of the domain itself.

        Without a policy a pipe that is not up opens with the first packet; else only those that
        are up lead anywhere, since the domain may be reached through another one.
        """
        if self.relations is None:
            relation = Relation.PEER
        elif domain in self.relations:
            relation = self.relations[domain]
            nodes = [node for node in nodes if node in self.up]
        else:
            return None
        if not wanted.allows((domain,), relation):
            return None
        return route_of(domain, [(node, (domain,)) for node in by_nearness(nodes, self.up.get)])
