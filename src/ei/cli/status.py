"""`ei status`: what works, what does not, and the next command."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import takes_target


def add_parser(commands: Verbs) -> None:
    """Add `ei status`."""
    verb = commands.add(
        "status",
        summary="show what works, what does not, and the next command",
        details="Without a name: all of the lab. Exit code 1 when one does not answer.",
        execute=execute,
    )
    verb.takes("name", nargs="?", metavar="NAME", help="a node or host")
    takes_target(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show one daemon in full, or all of the lab in a line each."""
    from ei.cli.polling import poll
    from ei.cli.statuses import show_all, show_one
    from ei.cli.targets import find_target, lab_targets

    if arguments.name is not None or arguments.socket is not None:
        show_one(find_target(arguments.name, arguments, kind=None).ask("status"), output)
        return Exit.OK
    found = poll(lab_targets(arguments, kind=None), "status")
    show_all(found, output)
    silent = [polled.target.name for polled in found if polled.answer is None]
    for polled in found:
        if polled.answer is None:
            output.fold(f"{output.mark('bad')} {polled.target.name}: {polled.trouble}")
    if silent:
        output.next(f"ei lab start {silent[0]}", "ei lab status")
    else:
        output.next("ei top", "ei trace FROM TO --explain", "ei lab down")
    return Exit.NEGATIVE if silent else Exit.OK
