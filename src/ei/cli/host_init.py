"""`ei host init`: write the files of a new host."""

import argparse

from ei.cli.enrolment import folder_of, open_roll, randomness, takes_domain
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

EXAMPLES = """\
example:
  ei host init alice.isp-a --node sn1.isp-a --node sn2.isp-a
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei host init`."""
    verb = verbs.add(
        "init",
        summary="write a commented host.toml and a new key, and have the domain enrol the host",
        details="Nothing that exists is overwritten.",
        execute=execute,
    )
    takes_domain(verb)
    verb.takes(
        "--node",
        action="append",
        default=[],
        metavar="NODE",
        help="a node to attach to, the preferred first (default: the first two of the records)",
    )
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write the files."""
    from ei.host.init import init_host
    from ei.records.addresses import format_address

    new = init_host(
        folder_of(arguments),
        name=arguments.name,
        nodes=tuple(arguments.node),
        roll=open_roll(arguments),
        randomness=randomness(),
    )
    address = format_address(new.address)
    output.data(f"wrote {new.path} and a new key")
    output.data(f"{new.name} is {address}")
    output.fold(f"attached to {', '.join(new.nodes)}")
    output.document(
        "ei.host-init/1",
        {
            "path": str(new.path),
            "name": new.name,
            "address": address,
            "nodes": list(new.nodes),
        },
    )
    output.next(f"ei host check --config {new.path}", f"ei host run --config {new.path}")
    return Exit.OK
