"""`ei lab down`: end a lab and leave nothing behind."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
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
    counts = {
        "processes": len(ended.left.processes),
        "sockets": len(ended.left.sockets),
        "files": len(ended.left.files),
    }
    if ended.was_running or any(counts.values()):
        output.data(f"{', '.join(f'{count} {what}' for what, count in counts.items())} left")
    else:
        output.data(f"no lab {name!r} runs")
    output.document(
        "ei.lab-down/1",
        {"was_running": ended.was_running, "killed": ended.killed, "left": counts},
    )
    if not ended.was_running and (others := running_labs()):
        output.next(*(f"ei lab down --lab {other}" for other in others))
    return Exit.NEGATIVE if any(counts.values()) else Exit.OK
