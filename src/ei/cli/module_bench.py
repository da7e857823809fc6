"""`ei module bench`: how many packets a second a module decides, in its jail and without one."""

import argparse
from pathlib import Path

from ei.cli.bench import show_report
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count

DETAILS = """\
Packets of 512 B, each of a new connection, whose metadata is the address of a peer, by way of a
worker as a node has it; beside it the same worker without a jail, in turns: so only for what you
wrote or have read. Without a folder: the service filter, in Python and in WebAssembly. Exit code 1
where the jail costs more than 25 %."""


def add_parser(verbs: Verbs) -> None:
    """Add `ei module bench`."""
    verb = verbs.add(
        "bench",
        summary="measure how many packets a second a module decides, and what its jail costs",
        details=DETAILS,
        execute=execute,
    )
    verb.takes("folders", nargs="*", type=Path, metavar="FOLDER", help="of a module")
    verb.takes("--runs", type=parse_count, metavar="N", help="of each, in turns (default 5)")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Measure, and say all of it."""
    from ei.bench.catalogue import DEFAULT_RUNS
    from ei.bench.figures import Report, machine
    from ei.bench.module import EXAMPLES, module

    output.progress("measuring; other work on this machine spoils it")
    folders: list[Path] = arguments.folders
    runs = arguments.runs or DEFAULT_RUNS
    figures = tuple(module(folders or EXAMPLES, runs=runs))
    repeat = " ".join(["ei module bench", *map(str, folders), f"--runs {runs}"])
    return show_report(Report(machine=machine(), repeat=repeat, figures=figures), output)
