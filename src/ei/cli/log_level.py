"""`ei node log` and `ei host log`: what a running daemon logs from now on."""

import argparse
from functools import partial

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import Kind, find_target, takes_target

LEVELS = ("debug", "info", "warn", "error")


def add_parser(verbs: Verbs, *, kind: Kind) -> None:
    """Add the verb `log` to a noun."""
    verb = verbs.add(
        "log",
        summary=f"set what a running {kind} logs, until it ends",
        details="At its start, $EI_LOG says so.",
        execute=partial(_execute, kind=kind),
    )
    verb.takes("name", nargs="?", metavar="NAME", help=f"a {kind} of the lab")
    verb.takes(
        "--level",
        required=True,
        choices=LEVELS,
        metavar="LEVEL",
        help="the least important that is logged: debug, info, warn or error",
    )
    if kind == "node":
        verb.takes(
            "--part",
            default="",
            metavar="PART",
            help="of one part alone: pipes, workers, records, cluster or telemetry",
        )
    takes_target(verb)


def _execute(arguments: argparse.Namespace, output: Output, *, kind: Kind) -> Exit:
    target = find_target(arguments.name, arguments, kind=kind)
    part: str = arguments.part if kind == "node" else ""
    _ = target.ask("log_level", {"level": arguments.level, **({"part": part} if part else {})})
    of = f" of {part}" if part else ""
    output.data(f"{target.name} logs {arguments.level} and above{of}")
    output.document("ei.log-level/1", {"name": target.name, "level": arguments.level, "part": part})
    return Exit.OK
