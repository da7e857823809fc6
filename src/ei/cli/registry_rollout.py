"""`ei registry rollout`: how many of the nodes should run an approved release."""

import argparse
import time

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_share
from ei.cli.registry import opened, takes_registry


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry rollout`."""
    verb = verbs.add(
        "rollout",
        summary="say how many of the nodes should run an approved release",
        details="Which nodes they are follows from their addresses. It needs the online key alone.",
        execute=execute,
    )
    verb.takes("release", metavar="NAME@VERSION", help="such as hello@0.1.0")
    verb.takes(
        "--share", type=parse_share, required=True, metavar="SHARE", help="such as 1%% or 100%%"
    )
    takes_registry(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign it by the online key."""
    from ei.registry.releases import parse_release_name

    name, version = parse_release_name(arguments.release)
    opened(arguments).set_share(name, version, arguments.share, unix_s=time.time())
    output.data(f"{name}@{version} is for {arguments.share:.4%} of the nodes")
    output.document(
        "ei.registry-rollout/1", {"name": name, "version": version, "share": arguments.share}
    )
    return Exit.OK
