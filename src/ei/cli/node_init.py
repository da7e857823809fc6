"""`ei node init`: write the files of a new service node."""

import argparse

from ei.cli.enrolment import folder_of, open_roll, randomness, takes_domain
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_place

EXAMPLES = """\
examples:
  ei domain init isp-a --number 1
  ei node init sn1.isp-a --endpoint 192.0.2.1:3535
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei node init`."""
    verb = verbs.add(
        "init",
        summary="write a commented node.toml and a new key, and have the domain sign the node",
        details="Nothing that exists is overwritten.",
        execute=execute,
    )
    takes_domain(verb)
    verb.takes(
        "--endpoint",
        type=_endpoint,
        metavar="ENDPOINT",
        required=True,
        help="where others reach the node, such as 192.0.2.1:3535 or [2001:db8::1]:3535",
    )
    verb.takes(
        "--bind",
        type=_endpoint,
        metavar="ENDPOINT",
        help="where it listens (default: everywhere on that port)",
    )
    verb.takes(
        "--service",
        action="append",
        default=[],
        metavar="SERVICE",
        help="a service to run; may be given several times (default: delivery, reach, echo, "
        "multicast)",
    )
    verb.takes(
        "--location",
        type=parse_place,
        metavar="LAT,LON",
        help="roughly where it is, in whole degrees, such as 48,11 or 34S,58W (default: not said)",
    )
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write the files."""
    from ei.node.config import DEFAULT_SERVICES
    from ei.node.init import init_node
    from ei.records.addresses import format_address

    host, _, port = arguments.endpoint.rpartition(":")
    new = init_node(
        folder_of(arguments),
        name=arguments.name,
        bind=arguments.bind or (f"[::]:{port}" if "]" in host else f"0.0.0.0:{port}"),
        endpoint=arguments.endpoint,
        roll=open_roll(arguments),
        randomness=randomness(),
        services=tuple(arguments.service) or DEFAULT_SERVICES,
        location=arguments.location,
    )
    address = format_address(new.address)
    output.data(f"wrote {new.path} and a new key")
    output.data(f"{new.name} is {address}")
    output.document("ei.node-init/1", {"path": str(new.path), "name": new.name, "address": address})
    output.talk(f"open UDP port {port} in your firewall")
    output.next(f"ei node check --config {new.path}", f"ei node run --config {new.path}")
    return Exit.OK


def _endpoint(text: str) -> str:
    from ei.errors import LocalError
    from ei.records.endpoints import parse_endpoint

    try:
        _ = parse_endpoint(text)
    except LocalError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
