"""`ei domain locate`: roughly where a node of the domain is."""

import argparse

from ei.cli.domain_file import open_domain, takes_domain_files, takes_lifetime
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_place

DETAILS = """\
Whoever looks for a node near some place, as ei proxy --private does, chooses by this. Whole degrees
are about 100 km: nothing finer can be said."""
EXAMPLES = """\
example:
  ei domain locate sn1.isp-a 48,11
  ei domain locate sn2.isp-a 34S,58W
  ei domain locate sn1.isp-a none
"""


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "locate",
        summary="say roughly where a node of the domain is",
        details=DETAILS,
        execute=locate,
    )
    verb.takes("name", metavar="NODE", help="a node of the domain")
    verb.takes(
        "location",
        type=_parse,
        metavar="LAT,LON",
        help="such as 48,11 or 34S,58W; none takes it away",
    )
    takes_domain_files(verb)
    takes_lifetime(verb)
    verb.ends(EXAMPLES)


def locate(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign the record of the node again."""
    from ei.records.locations import format_location

    roll = open_domain(arguments, lifetime_s=arguments.lifetime_s)
    record = roll.locate(arguments.name, *arguments.location)
    where = "not said" if record.location is None else format_location(record.location)
    output.data(f"{record.name}: {where}")
    output.document("ei.domain-locate/1", {"name": record.name, "location": record.location})
    output.next("ei node reload, at all nodes that have the file", "ei domain list")
    return Exit.OK


def _parse(text: str) -> tuple[tuple[int, int] | None]:
    """Parse a location, or that there is none; in a tuple, since none is a value here."""
    return (None if text == "none" else parse_place(text),)
