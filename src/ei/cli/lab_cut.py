"""`ei lab cut` and `ei lab heal`: let nothing pass a link, and let it be as it was."""

import argparse

from ei.cli.exits import Exit
from ei.cli.lab_impair import find_ends
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import lab_name, takes_lab

SUMMARIES = {
    "cut": "let nothing pass between two ends: a partition",
    "heal": "give a link the properties of the topology again",
}


def add_parser(verbs: Verbs) -> None:
    """Add the two verbs."""
    for verb_name, summary in SUMMARIES.items():
        verb = verbs.add(verb_name, summary=summary, execute=execute)
        verb.takes("link", metavar="A--B", help="its two ends; ei lab status lists all links")
        takes_lab(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Do it, and say how to undo it."""
    from ei.lab.processes import ask_lab

    verb: str = arguments.parser.prog.split()[-1]
    a, b = find_ends(arguments, command=f"ei lab {verb}")
    is_cut = verb == "cut"
    wanted = {"a": a, "b": b, "impairment": {"is_cut": True} if is_cut else None}
    _ = ask_lab("impair", wanted, name=lab_name(arguments))
    output.data(f"{a}--{b} {'cut' if is_cut else 'healed'}")
    output.document("ei.lab-fault/1", {"name": f"{a}--{b}", "fault": verb})
    output.next("ei lab status", *([f"ei lab heal {arguments.link}"] if is_cut else []))
    return Exit.OK
