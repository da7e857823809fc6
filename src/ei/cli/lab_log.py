"""`ei lab log`: what a node or host of a lab said, its services included."""

import argparse
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count
from ei.cli.targets import takes_lab

LOG_FILE = "log"


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab log`."""
    verb = verbs.add(
        "log",
        summary="show what a node or host said, its services included",
        execute=execute,
    )
    verb.takes("name", metavar="NAME", help="a node or host, such as sn1.isp-a")
    verb.takes("--lines", type=parse_count, metavar="N", default=20, help="the last N (default 20)")
    takes_lab(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print the last lines of its log."""
    from ei.cli.targets import find_name, read_lab

    daemon = read_lab(arguments).daemons[find_name(arguments.name, arguments)]
    path = Path(daemon.folder) / LOG_FILE
    lines = path.read_text(errors="replace").splitlines()[-arguments.lines :]
    for line in lines:
        output.data(printable(line))
    output.document("ei.lab-log/1", {"name": daemon.name, "path": str(path), "lines": lines})
    output.talk(f"all of it: {path}")
    return Exit.OK
