"""`ei lab down`: end a lab and leave nothing behind."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import Verbs
from ei.cli.targets import lab_name, takes_lab


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab down`."""
    verb = verbs.add("down", summary="end a lab and leave nothing behind", execute=execute)
    takes_lab(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """End all processes of the lab and remove its files; exit 1 if anything is left."""
    from ei.lab.processes import running_labs, stop_lab

    name = lab_name(arguments)
    ended = stop_lab(name=name)
    counts = ended.left.counts
    if ended.was_running or ended.left.count:
        output.data(f"{', '.join(f'{count} {what}' for what, count in counts.items())} left")
        for thing in ended.left.things:
            output.talk(f"left: {printable(thing)}")
    else:
        output.data(f"no lab {name!r} runs")
    output.document(
        "ei.lab-down/1",
        {"was_running": ended.was_running, "killed": ended.killed, "left": counts},
    )
    if not ended.was_running and (others := running_labs()):
        output.next(*(f"ei lab down --lab {other}" for other in others))
    return Exit.NEGATIVE if ended.left.count else Exit.OK
