"""`ei doctor`: what works on this machine, what does not, and what to do about it."""

import argparse
from dataclasses import asdict

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

MARKS = {"ok": "ok", "note": "warn", "failed": "bad"}


def add_parser(commands: Verbs) -> None:
    """Add `ei doctor`."""
    _ = commands.add(
        "doctor",
        summary="show what works on this machine, what does not, and what to do",
        details="Exit code 1 when something must be put right; see docs/reference/doctor.md.",
        execute=execute,
    )


def execute(_arguments: argparse.Namespace, output: Output) -> Exit:
    """Make all checks and show what they found."""
    from ei.cli.checks import CHECKS

    found = [(check, check.look()) for check in CHECKS]
    for check, finding in found:
        output.fold(f"{output.mark(MARKS[finding.status])} {finding.said}")
        if finding.status != "ok":
            remedy = f"{finding.remedy}; " if finding.remedy else ""
            hint = f"{remedy}docs/reference/doctor.md#{check.name}"
            output.fold(output.paint(f"  → {hint}", "dim"), indent="    ")
    failed = sum(finding.status == "failed" for _, finding in found)
    output.data(f"{len(found)} checks, {failed} failed")
    output.document(
        "ei.doctor/1",
        {
            "failed": failed,
            "checks": [{"name": check.name, **asdict(finding)} for check, finding in found],
        },
    )
    output.next("ei doctor, once that is put right" if failed else "ei demo", "ei lab up")
    return Exit.NEGATIVE if failed else Exit.OK
