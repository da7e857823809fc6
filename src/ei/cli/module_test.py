"""`ei module test`: what a module promises, case by case."""

import argparse
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.module import folder_of, takes_folder
from ei.cli.output import Output, printable
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_seconds

if TYPE_CHECKING:
    from ei.testing.cases import Case

MARKS = {"passed": "ok", "skipped": "warn", "failed": "bad"}
MOST_LINES = 12
"""Of what is said of one case; --json has it all."""


def add_parser(verbs: Verbs) -> None:
    """Add `ei module test`."""
    verb = verbs.add(
        "test",
        summary="run the cases of a module, each in a process of its own",
        details="Exit code 1 when one fails. Cases are functions test_... in files test_....py, as "
        "pytest has them. They and the module run with your rights, in no jail: for what you wrote "
        "or have read. ei module conform jails what it runs.",
        execute=execute,
    )
    takes_folder(verb)
    verb.takes("--case", default="", metavar="WORD", help="those with this word in their name")
    verb.takes(
        "--timeout", type=parse_seconds, metavar="2s", default=30.0, help="for each (default 30s)"
    )


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Check the module, run its cases, say which failed and why."""
    from ei.runtime.loader import read_service
    from ei.testing.cases import run_cases

    folder = folder_of(arguments)
    _ = read_service(folder)
    cases = run_cases(
        folder,
        limit_s=arguments.timeout,
        only=arguments.case,
        on_case=lambda case: _show(case, output),
    )
    failed = [case for case in cases if case.outcome == "failed"]
    passed = sum(case.outcome == "passed" for case in cases)
    output.data(f"{passed} of {len(cases)} cases passed")
    output.document(
        "ei.module-test/1",
        {
            "module": folder.name,
            "passed": passed,
            "cases": [
                {
                    "name": case.name,
                    "outcome": case.outcome,
                    "took_s": round(case.took_s, 4),
                    "place": case.place,
                    "words": case.words,
                }
                for case in cases
            ],
        },
    )
    if failed:
        output.next(f"mend {failed[0].place or folder / 'service.py'} | ei module test")
        return Exit.NEGATIVE
    return Exit.OK


def _show(case: "Case", output: Output) -> None:
    output.fold(f"{output.mark(MARKS[case.outcome])} {printable(case.name)}")
    lines = case.words.splitlines()
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"{len(lines) - MOST_LINES} lines more: --json shows them"]
    if case.place and lines:
        lines[0] = f"{case.place}: {lines[0]}"
    for line in lines:
        output.fold(f"  {printable(line)}", indent="    ")
