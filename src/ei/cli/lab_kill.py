"""`ei lab kill`, `start`, `freeze` and `thaw`: faults of single nodes and hosts."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import lab_name, takes_lab

FAULTS = {
    "kill": ("kill a node or host at once, as kill -9 does", "killed"),
    "start": ("start a node or host that was killed, on the state that it left", "started"),
    "freeze": ("stop a node or host where it is, as SIGSTOP does", "frozen"),
    "thaw": ("let a frozen node or host go on", "thawed"),
}
UNDO = {"kill": "start", "freeze": "thaw"}


def add_parser(verbs: Verbs) -> None:
    """Add the four verbs."""
    for fault, (summary, _) in FAULTS.items():
        verb = verbs.add(fault, summary=summary, execute=execute)
        verb.takes("name", metavar="NAME", help="a node or host, such as sn1.isp-a")
        takes_lab(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Do it, and say how to undo it."""
    from ei.cli.targets import find_name
    from ei.lab.processes import ask_lab

    fault: str = arguments.parser.prog.split()[-1]
    name = find_name(arguments.name, arguments)
    _ = ask_lab(fault, {"name": name}, name=lab_name(arguments))
    output.data(f"{name} {FAULTS[fault][1]}")
    output.document("ei.lab-fault/1", {"name": name, "fault": fault})
    undo = [f"ei lab {UNDO[fault]} {name}"] if fault in UNDO else []
    output.next("ei status", *undo)
    return Exit.OK
