"""`ei registry approve`: a governor signs that nodes may run a release, or what else is drafted."""

import argparse
import time

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_share
from ei.cli.registry import opened, shown_changes, sign_draft, takes_keys, takes_registry
from ei.errors import NotFoundError


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry approve`."""
    verb = verbs.add(
        "approve",
        summary="sign that nodes may run a release, or what else waits for signatures",
        details="With a release, its approval is drafted, unless it is already. Without, the draft "
        "that is there is shown, and signed. With the last signature that is needed it counts.",
        execute=execute,
    )
    verb.takes("release", nargs="?", metavar="NAME@VERSION", help="such as hello@0.1.0")
    takes_keys(verb)
    verb.takes(
        "--share",
        type=parse_share,
        default=1.0,
        metavar="SHARE",
        help="of the nodes that should run it at first (default: 100%%)",
    )
    verb.takes("--discard", action="store_true", help="forget the draft that is there")
    takes_registry(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Draft, sign, and publish."""
    from ei.registry.releases import parse_release_name

    registry = opened(arguments)
    if arguments.discard:
        registry.discard()
        output.data("there is no draft any more")
        output.document("ei.registry-draft/1", {"changes": [], "is_published": False})
        return Exit.OK
    if arguments.release is not None:
        name, version = parse_release_name(arguments.release)
        _ = registry.approve(name, version, unix_s=time.time())
    if not shown_changes(registry) and registry.draft() is None:
        raise NotFoundError(
            "nothing waits for signatures", remedy="ei registry log shows what was submitted."
        )
    return sign_draft(registry, arguments.key, output, share=arguments.share)
