"""`ei domain dns`: what to publish so that hosts find the domain's nodes."""

import argparse

from ei.cli.domain_file import open_domain, takes_domain_files
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

TTL_S = 300
MAX_TTL_S = 86_400
EXAMPLES = """\
example:
  ei domain dns --zone isp-a.example >> isp-a.example.zone
"""


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "dns",
        summary="show what to publish in the DNS so that hosts find the nodes",
        details="Hosts ask for it that have dns_domain in host.toml. Keys stay in the records.",
        execute=show_zone,
    )
    verb.takes(
        "--zone",
        metavar="NAME",
        required=True,
        help="the DNS domain, such as isp-a.example",
    )
    verb.takes(
        "--ttl",
        type=parse_ttl,
        metavar="S",
        dest="ttl_s",
        default=TTL_S,
        help=f"seconds for which an answer may be kept (default: {TTL_S})",
    )
    takes_domain_files(verb)
    verb.ends(EXAMPLES)


def parse_ttl(text: str) -> int:
    """Parse a lifetime in seconds."""
    ttl_s = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= ttl_s <= MAX_TTL_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds: 1 to {MAX_TTL_S}")
    return ttl_s


def show_zone(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print lines of a zone file."""
    from ei.errors import ConfigError
    from ei.records.addresses import domain_number_of
    from ei.records.dns_zone import zone_lines

    roll = open_domain(arguments)
    nodes = [
        node
        for address, node in roll.read().nodes.items()
        if domain_number_of(address) == roll.issuer.number
    ]
    if not nodes:
        raise ConfigError(f"{roll.issuer.name} has no node", remedy="First: ei node init")
    lines = zone_lines(nodes, arguments.zone, ttl_s=arguments.ttl_s)
    for line in lines:
        output.data(line)
    output.document("ei.domain-dns/1", {"zone": arguments.zone, "lines": lines})
    output.next(f"dig SRV _ei._udp.{arguments.zone}")
    return Exit.OK
