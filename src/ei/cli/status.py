"""`ei status`: what works, what does not, and the next command."""

import argparse
import time

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import Verbs
from ei.cli.targets import takes_target

DETAILS = """\
Without a name: all of the lab. Exit code 1 when one does not answer, or has a service that is down:
its worker does not run."""


def add_parser(commands: Verbs) -> None:
    """Add `ei status`."""
    verb = commands.add(
        "status",
        summary="show what works, what does not, and the next command",
        details=DETAILS,
        execute=execute,
    )
    verb.takes("name", nargs="?", metavar="NAME", help="a node or host")
    takes_target(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show one daemon in full, or all of the lab in a line each."""
    from ei.cli.polling import Polled, poll
    from ei.cli.statuses import show_all, show_one, troubles_of, warnings_in
    from ei.cli.targets import find_target, has_lab, lab_targets

    if arguments.name is not None or arguments.socket is not None:
        target = find_target(arguments.name, arguments, kind=None)
        answer = target.ask("status")
        show_one(answer, output)
        found = [Polled(target, answer)]
        further: list[str] = []
    else:
        found = poll(lab_targets(arguments, kind=None), "status")
        show_all(found, output)
        for polled in found:
            for warning in warnings_in(polled, unix_s=time.time()):
                output.fold(f"{output.mark('warn')} {polled.target.name}: {printable(warning)}")
        further = ["ei top", "ei trace FROM TO --explain", "ei lab down"]
    remedies: list[str] = []
    for polled in found:
        for trouble in troubles_of(polled):
            output.data(f"{output.mark('bad')} {polled.target.name}: {printable(trouble)}")
            verb = "start" if polled.answer is None else "log"
            remedies.append(f"ei lab {verb} {polled.target.name}")
    if remedies and has_lab(arguments):
        output.next(remedies[0], "ei lab status")
    elif further and not remedies:
        output.next(*further)
    return Exit.NEGATIVE if remedies else Exit.OK
