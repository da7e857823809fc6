"""What a node tells of its routes: the table, and why a domain is reached as it is."""

from difflib import get_close_matches

import msgspec

from ei.errors import NotFoundError
from ei.records.record_set import RecordSet
from ei.routing import Router
from ei.routing.views import RouteRow, RoutingStatistics, Why


class RoutesAnswer(msgspec.Struct, frozen=True):
    """Every domain that is reached.

    Attributes:
        is_meshed: No neighbours are configured: every domain is a direct peer.
    """

    domain: str
    is_meshed: bool
    routes: tuple[RouteRow, ...]
    statistics: RoutingStatistics


def routes_of(router: Router, domain: str) -> RoutesAnswer:
    """Return the routes of a node of `domain`."""
    return RoutesAnswer(domain, router.is_meshed, tuple(router.table()), router.statistics())


def why_route(router: Router, records: RecordSet, domain: str) -> Why:
    """Return every way to a domain, by its name or number.

    Raises:
        NotFoundError: there is no record of it.
    """
    record = records.domains.get(domain)
    if record is None and domain.isdecimal():
        record = records.numbers.get(int(domain))
    if record is None:
        near = get_close_matches(domain, records.domains, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise NotFoundError(
            f"no record of domain {domain!r}{hint}; {len(records.domains)} are known",
            remedy="ei route show lists those that are reached",
        )
    return router.why(record.number)
