"""`ei demo`: an internet on this machine, put to work and put to the test."""

import argparse
import sys
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.lab_run import parse_seed
from ei.cli.output import Output
from ei.cli.parser import Verbs

DETAILS = """\
Three domains, five service nodes and eight hosts, all real processes over 127/8, without root: each
host pings each other, a file crosses from one domain to another, a numbered stream is multicast,
and a worker is killed under load. Ends with the table of promises, and a report in one HTML file.
Exit code 1 unless all promises are kept."""


def add_parser(commands: Verbs) -> None:
    """Add `ei demo`."""
    verb = commands.add(
        "demo",
        summary="an internet on this machine, put to work and put to the test",
        details=DETAILS,
        execute=execute,
    )
    verb.takes("--file", type=Path, metavar="FILE", help="to be sent from one domain to another")
    verb.takes("--report", type=Path, metavar="FILE", help="where the HTML report goes")
    verb.takes("--seed", type=parse_seed, metavar="N", default=1, help="of what links do")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Run it; it tells on stderr what it does."""
    from ei.cli.promises import report_document
    from ei.lab.demo import run_demo
    from ei.lab.narrator import Narrator

    if arguments.file is not None:
        # Said now rather than when half of the demo is over.
        arguments.file.open("rb").close()
    narrator = Narrator(sys.stderr, is_plain=output.is_plain, is_quiet=output.is_quiet)
    outcome = run_demo(
        narrator, file=arguments.file, report_path=arguments.report, seed=arguments.seed
    )
    report = outcome.report
    kept = sum(promise.status == "ok" for promise in report.promises)
    mark = output.mark("ok" if report.is_ok else "bad")
    output.data(f"{mark} {kept} of {len(report.promises)} promises kept")
    output.data(f"report: {outcome.path}")
    report_document(report, output, page=outcome.path)
    output.next("ei lab up", "ei lab examples")
    return Exit.OK if report.is_ok else Exit.NEGATIVE
