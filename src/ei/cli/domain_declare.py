"""`ei domain declare`: who carries the domain's traffic, and which nodes answer for its names."""

import argparse
from typing import TYPE_CHECKING

from ei.cli.domain_file import open_domain, takes_domain_files, takes_lifetime
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs

if TYPE_CHECKING:
    from ei.records.enrolling import Roll

DETAILS = """\
Others judge by this what is announced of the domain: only a provider may pass it on to everybody.
What is not given stays as it is; none takes all away."""
EXAMPLES = """\
example:
  ei domain declare --provider transit-a --provider transit-b
  ei domain declare --directory sn1.isp-a
  ei domain declare --provider none
"""
NONE = ["none"]


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "declare",
        summary="say who carries the traffic of the domain, and which nodes answer for its names",
        details=DETAILS,
        execute=declare,
    )
    verb.takes(
        "--provider",
        action="append",
        default=[],
        metavar="DOMAIN",
        help="number of a domain, or its name if its record is in the file; once for each",
    )
    verb.takes(
        "--directory",
        action="append",
        default=[],
        metavar="NODE",
        help="a node of the domain, the preferred first; once for each (none: its first 3)",
    )
    takes_domain_files(verb)
    takes_lifetime(verb)
    verb.ends(EXAMPLES)


def declare(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign the record of the domain with other providers or directories."""
    given: list[str] = arguments.provider
    nodes: list[str] = arguments.directory
    if not given and not nodes:
        raise UsageError("give a --provider or a --directory", command="ei domain declare")
    roll = open_domain(arguments, lifetime_s=arguments.lifetime_s)
    providers = directories = None
    if given:
        numbers = _numbers(roll)
        providers = tuple(_number(each, numbers) for each in given if given != NONE)
    if nodes:
        records = roll.read()
        directories = tuple(records.find(each) for each in nodes if nodes != NONE)
    record = roll.declare(providers=providers, directories=directories)
    names = {number: name for name, number in _numbers(roll).items()}
    shown = [names.get(number, str(number)) for number in record.providers]
    answer = [roll.read().name_of(node) for node in record.directories]
    output.fold(f"{record.name} is carried by {', '.join(shown) or 'nobody but its peers'}")
    output.fold(f"{', '.join(answer) or 'its first 3 nodes'} answer for its names")
    output.document(
        "ei.domain-declare/1",
        {"name": record.name, "providers": list(record.providers), "directories": answer},
    )
    output.next("ei node reload, at all nodes that have the file", "ei peer add")
    return Exit.OK


def _numbers(roll: "Roll") -> dict[str, int]:
    """Return the numbers of the domains that state themselves in the file."""
    from ei.records.drafting import domains_in
    from ei.records.record_files import read_records

    return {domain.name: domain.number for domain in domains_in(read_records(roll.path))}


def _number(text: str, numbers: dict[str, int]) -> int:
    from ei.errors import NotFoundError

    if text in numbers:
        return numbers[text]
    if text.isascii() and text.isdigit():
        return int(text)
    raise NotFoundError(
        f"no record of domain {text!r} is in the file; there are {', '.join(sorted(numbers))}",
        remedy="Give its number, or add its records.eir to the file first.",
    )
