"""`ei directory`: what a node knows of names, addresses and attachments, and answers to others."""

import argparse
import time
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import lifetime
from ei.cli.targets import find_target, takes_target

if TYPE_CHECKING:
    from ei.node.lookups import FoundAnswer

FIND_DETAILS = """\
The node asks the directory as it does for its services: of another domain that domain's own. Shows
where a host is attached as well, which nodes may know and hosts may not. Exit code 1 when there is
no such name, or no answer."""
FIND_DEADLINE_S = 12.0
"""Of two questions, 5 s each."""


def add_parser(commands: Verbs) -> None:
    """Add `ei directory` and its verbs."""
    verbs = commands.add_noun("directory", summary="names, addresses, and where hosts are attached")
    show = verbs.add(
        "show",
        summary="show what a node has learned, and what others ask of it",
        execute=show_directory,
    )
    find = verbs.add(
        "find",
        summary="look up a name or an address from a node",
        details=FIND_DETAILS,
        execute=find_name,
    )
    find.takes("what", metavar="NAME", help="full name or address of a host, group or node")
    for verb in (show, find):
        verb.takes("name", nargs="?", metavar="NODE", help="a node of the lab")
        takes_target(verb)


def show_directory(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a node for the books of its directory and show them."""
    import msgspec

    from ei.directory.statistics import DirectoryStatistics

    target = find_target(arguments.name, arguments, kind="node")
    answer = target.ask("directory")
    known = msgspec.convert(answer["statistics"], DirectoryStatistics)
    resolver, publishing = known.resolver, known.publishing
    role = "answers for its domain" if known.is_directory else "asks its domain's directories"
    output.data(f"{target.name} {role}")
    output.fold(
        f"learned: {resolver.answers} answers, {resolver.leased} of them told when they change; "
        f"asked {resolver.asks.begun} times, {resolver.asks.waiting} wait, "
        f"{resolver.asks.given_up} had no answer"
    )
    output.fold(
        f"answered {publishing.answered} questions of nodes, told {publishing.told} changes, "
        f"{publishing.subscriptions.subscriptions} leases of "
        f"{publishing.subscriptions.queries} answers run"
    )
    output.fold(f"{known.registered} hosts registered, {known.handing.waiting} on their way")
    if known.refused:
        refused = ", ".join(f"{count} {reason}" for reason, count in sorted(known.refused.items()))
        output.fold(f"{output.mark('warn')} refused: {refused}")
    output.document(
        "ei.directory-show/1", {"name": target.name, "statistics": answer["statistics"]}
    )
    output.next("ei directory find NAME")
    return Exit.OK


def find_name(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a node to look something up and show what it found."""
    import msgspec

    from ei.node.lookups import FoundAnswer

    target = find_target(arguments.name, arguments, kind="node")
    answer = target.ask("find", {"name": arguments.what}, deadline_s=FIND_DEADLINE_S)
    found = msgspec.convert(answer, FoundAnswer)
    if found.kind:
        _show(found, output)
    elif found.reason:
        output.data(f"{output.mark('bad')} {found.name}: no answer ({found.reason})")
    else:
        output.data(f"{output.mark('bad')} there is no {found.name}: its domain says so")
    output.document("ei.directory-find/1", {"node": target.name, **msgspec.to_builtins(found)})
    return Exit.OK if found.kind else Exit.NEGATIVE


def _show(found: "FoundAnswer", output: Output) -> None:
    output.data(f"{found.kind} {', '.join(found.names)}  {found.address}")
    output.data(f"{'owner' if found.kind == 'group' else 'key'} {found.key}")
    if found.expires_unix_s is not None:
        output.data(f"time left: {lifetime(found.expires_unix_s - time.time())}")
    if found.kind == "group":
        output.data(f"meets at {', '.join(found.nodes)}")
    elif found.attached_until_unix_s is not None:
        left = lifetime(found.attached_until_unix_s - time.time())
        output.data(f"attached to {', '.join(found.nodes)}, for {left}")
    elif found.kind == "host":
        output.data(f"{output.mark('warn')} attached nowhere")
