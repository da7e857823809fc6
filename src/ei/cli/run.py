"""`ei run`: a program that knows nothing of the Extensible Internet, on it."""

import argparse
import json
import os
from argparse import PARSER
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.host import PLACES
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.private import takes_private, wish_of

if TYPE_CHECKING:
    from ei.ways.launching import NotRun
    from ei.ways.run import Running

EXAMPLES = """\
examples:
  ei run -- curl http://files.campus.ei/
  ei run -- ssh bob.isp-b.ei
  ei run --mode proxy -- curl http://files.campus.ei/
  ei run --private -- curl https://www.example.org/
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei run`."""
    verb = commands.add(
        "run",
        summary="run any program over the Extensible Internet",
        details="In a network namespace, whose only way out is this command, or else with the "
        "variables that name a proxy; it says which. Names under .ei are those of hosts. "
        "The exit code is the program's, 127 when there is none, 128 and the number of the "
        "signal that ended it.",
        execute=execute,
    )
    verb.takes("command", nargs=PARSER, metavar="COMMAND", help="the program and its arguments")
    verb.takes(
        "--mode",
        choices=("auto", "namespace", "proxy"),
        default="auto",
        metavar="MODE",
        help="auto, namespace or proxy (default auto: a namespace where there may be one)",
    )
    takes_private(verb)
    verb.takes("--report", type=Path, metavar="FILE", help="write how it runs there, as JSON")
    takes_config(verb, PLACES)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Run it to its end."""
    from ei.host.connect import find_host_config
    from ei.ways.launching import NotRun, find_program
    from ei.ways.run import run_command

    wish = wish_of(arguments, command="ei run")
    # A first -- only says that the program follows.
    command: list[str] = arguments.command[arguments.command[0] == "--" :]
    if (missing := find_program(command[0], os.environ)) is not None:
        return _complain(missing, output)
    config = expect_file(
        find_host_config(arguments.config, environ=os.environ), init="ei host init"
    )

    def began(running: "Running") -> None:
        _tell(running, command[0], output)
        if arguments.report is not None:
            _report(running, arguments.report)

    ended = run_command(
        command,
        config=config,
        wanted=arguments.mode,
        environ=os.environ,
        began=began,
        told=lambda text: output.talk(f"ei run: {text}"),
        wish=wish,
    )
    return _complain(ended, output) if isinstance(ended, NotRun) else ended


def _complain(not_run: "NotRun", output: Output) -> int:
    output.complain(f"ei run: {not_run.text}")
    return not_run.code


def _tell(running: "Running", program: str, output: Output) -> None:
    how = "in a network namespace"
    if running.mode == "proxy":
        how = f"by proxy variables ({running.why_not})"
    if running.is_private:
        how += ", privately: by two operators, or not at all"
    output.talk(f"ei run: {Path(program).name} as {running.host}, {how}")
    output.talk(f"ei run: not covered: {running.uncovered}")


def _report(running: "Running", file: Path) -> None:
    told = {"schema": "ei.run/1", "mode": running.mode, "host": running.host,
            "why_not": running.why_not, "uncovered": running.uncovered,
            "is_private": running.is_private}  # fmt: skip
    _ = file.write_text(json.dumps(told) + "\n")
