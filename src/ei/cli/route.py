"""`ei route`: which peers lead to which domain, and why."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import find_target, takes_target

if TYPE_CHECKING:
    from ei.routing.views import RouteRow, Why

SHOW_DETAILS = """\
For each domain that the node reaches: the domains on the way, the peer that leads there, and those
that stand ready should its pipe go down."""
WHY_DETAILS = """\
Shows every way that was announced to the node, in the order in which it would use them, and what
it refused lately, with the reason. Exit code 1 when the domain is not reached."""
ROUTES_HEADER = ("domain", "path", "next hop", "backups", "neighbour", "services")
WAYS_HEADER = ("path", "next hop", "neighbour", "use")
REFUSED_HEADER = ("refused", "from", "path", "reason", "why")


def add_parser(commands: Verbs) -> None:
    """Add `ei route` and its verbs."""
    verbs = commands.add_noun("route", summary="which peers lead to which domain, and why")
    show = verbs.add(
        "show",
        summary="show the way to each domain",
        details=SHOW_DETAILS,
        execute=show_routes,
    )
    why = verbs.add(
        "why",
        summary="show every way to a domain, and why it is used or not",
        details=WHY_DETAILS,
        execute=show_why,
    )
    why.takes("domain", metavar="DOMAIN", help="name or number of a domain, such as isp-b")
    for verb in (show, why):
        verb.takes("name", nargs="?", metavar="NODE", help="a node of the lab")
        takes_target(verb)


def show_routes(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a node for its routes and show them."""
    import msgspec

    from ei.node.routes import RoutesAnswer

    target = find_target(arguments.name, arguments, kind="node")
    answer = msgspec.convert(target.ask("routes"), RoutesAnswer)
    if answer.is_meshed:
        output.fold(f"{target.name} has no [neighbours]: every domain is a direct peer")
    rows = list(map(_route, answer.routes))
    if rows:
        output.table(ROUTES_HEADER, rows)
    else:
        output.fold(f"{target.name} reaches no other domain")
    refused = ", ".join(f"{count} {reason}" for reason, count in answer.statistics.refused.items())
    if refused:
        output.fold(f"{output.mark('warn')} refused: {refused}")
    output.document("ei.route-show/1", {"name": target.name, **_content(answer)})
    if answer.routes:
        output.next(f"ei route why {answer.routes[-1].domain} {target.name}")
    return Exit.OK


def show_why(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a node about one domain and show what it says."""
    import msgspec

    from ei.routing.views import Why

    target = find_target(arguments.name, arguments, kind="node")
    why = msgspec.convert(target.ask("why_route", {"domain": arguments.domain}), Why)
    is_reached = bool(why.ways or why.direct)
    if why.ways:
        output.table(WAYS_HEADER, [_way(*each) for each in _ways(why)])
    elif why.direct:
        output.fold(f"{why.domain} is reached directly, by pipes to {', '.join(why.direct)}")
    else:
        output.fold(f"{output.mark('bad')} {target.name} knows no way to {why.domain}")
    if why.refused:
        output.table(REFUSED_HEADER, _refused(why))
    output.document("ei.route-why/1", {"name": target.name, **_content(why)})
    output.next("ei route show")
    return Exit.OK if is_reached else Exit.NEGATIVE


def _content(answer: object) -> dict[str, object]:
    import msgspec

    return dict(msgspec.to_builtins(answer))


def _route(row: "RouteRow") -> Sequence[str]:
    return (
        row.domain,
        _path(row.path),
        row.hop,
        ", ".join(row.backups) or "-",
        row.relation or "-",
        ", ".join(f"{each.service}@{each.version}" for each in row.services) or "-",
    )


def _ways(why: "Why") -> list[tuple[tuple[str, ...], str, str, str]]:
    return [(each.path, each.hop, each.relation, each.use) for each in why.ways]


def _way(path: tuple[str, ...], hop: str, relation: str, use: str) -> Sequence[str]:
    return (_path(path), hop, relation, use)


def _refused(why: "Why") -> list[Sequence[str]]:
    return [
        (
            datetime.fromtimestamp(each.unix_s, tz=UTC).strftime("%H:%M:%S"),
            each.sender,
            _path(each.path),
            each.reason,
            each.detail,
        )
        for each in why.refused
    ]


def _path(path: tuple[str, ...]) -> str:
    return " → ".join(path)
