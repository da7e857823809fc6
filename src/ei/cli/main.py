"""Where `ei` starts and ends: arguments in, exit code out, never a traceback."""

import argparse
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

from ei.cli.exits import Exit
from ei.cli.output import Output, standard_output
from ei.cli.parser import Execute, Parser, Verbs
from ei.cli.problems import show_problem

COMMANDS = (
    "demo", "lab", "dev", "invoke", "module", "bundle", "node", "host", "run", "proxy", "dns",
    "gateway", "peer", "config", "domain", "governance", "registry", "key", "status", "ping", "pub",
    "sub", "cast", "dictionary", "trace", "route", "directory", "top", "doctor", "bugreport",
    "bench", "decode", "completion", "version", "help",
)  # fmt: skip
"""Files of this folder, in the order in which `ei --help` lists them."""

EXAMPLES = """\
first steps:
  ei demo                  three domains on this machine, in under a minute
  ei lab up                a lab to play with; then: ei ping alice bob
  ei doctor                what works here, what does not, and why
"""


ENDED_BY = {signal.SIGHUP: Exit.HUNG_UP, signal.SIGTERM: Exit.TERMINATED}
"""Signals that end a command as Ctrl-C does, so that nothing of what it began is left behind."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ei` with `arguments` (default: those of the process) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        words[0] = "version"
    received: list[signal.Signals] = []
    try:
        with _ended_by_signals(received):
            return _run(words, standard_output())
    except KeyboardInterrupt:
        return ENDED_BY[received[0]] if received else Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left, as in `ei decode x | head`. Nothing more can be said to it,
        # and the interpreter must not try when it exits.
        _ = os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def build_parser() -> Parser:
    """Return the parser of all commands: help, completion and the manual page are made from it."""
    parser = Parser(
        prog="ei",
        description="The Extensible Internet: a service layer between the Internet and its users.",
        epilog=EXAMPLES,
    )
    _ = parser.add_argument("--version", action="store_true", help="the same as ei version")
    commands = Verbs(parser, title="commands")
    for name in COMMANDS:
        import_module(f"ei.cli.{name}").add_parser(commands)
    return parser


@contextmanager
def _ended_by_signals(received: list[signal.Signals]) -> Generator[None]:
    """Have the signals of `ENDED_BY` interrupt, unless somebody ignores them (nohup)."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:
            raise KeyboardInterrupt  # a job in the background ignores Ctrl-C

    caught = [number for number in ENDED_BY if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        _ = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in caught:
            _ = signal.signal(number, signal.SIG_DFL)


def _run(words: list[str], output: Output) -> int:
    # Wrong usage must come out as JSON too, and is found before the flags are known.
    output.is_json = "--json" in words
    try:
        arguments = build_parser().parse_args(words)
        return _execute(arguments, output)
    except SystemExit as wanted:  # --help
        return int(wanted.code or 0)
    except BrokenPipeError:
        raise
    except Exception as error:  # the outermost edge: nobody above could handle it
        return show_problem(error, output)


def _execute(arguments: argparse.Namespace, output: Output) -> int:
    execute: Execute | None = arguments.execute
    if execute is None:
        arguments.parser.print_help(sys.stderr)
        return Exit.ERROR
    output.is_json = arguments.json
    output.is_quiet = arguments.quiet
    output.is_plain = arguments.plain
    return execute(arguments, output)
