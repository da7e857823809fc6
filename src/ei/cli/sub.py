"""`ei sub`: show what is published under subjects."""

import argparse
import base64
from collections.abc import Mapping

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_count, parse_seconds
from ei.cli.targets import find_target, takes_target

EXAMPLES = """\
examples:
  ei sub alice weather/oslo                      until Ctrl-C
  ei sub alice 'weather/#' --retained --since 10m
  ei sub alice 'weather/+' --name display --count 5
  ei sub alice '#' --json --for 10s              all of ten seconds, as JSON in the end
"""
FOR_EVER_S = 366 * 86_400.0
EVERYTHING = "all"


def add_parser(commands: Verbs) -> None:
    """Add `ei sub`."""
    verb = commands.add(
        "sub",
        summary="show what is published under subjects",
        details="In a filter + stands for one level of a subject, and # as the last one for any "
        "number of them. Each line is a subject and its message. Exit code 1 when nothing came.",
        execute=execute,
    )
    verb.takes(
        "words",
        nargs="*",
        metavar="[HOST] FILTER",
        help="HOST of the lab is left out where a socket names it",
    )
    verb.takes("--count", type=parse_count, metavar="N", default=0, help="end after so many")
    verb.takes(
        "--for", dest="seconds", type=parse_seconds, metavar="10s", default=FOR_EVER_S,
        help="end after so long",
    )  # fmt: skip
    verb.takes(
        "--since", type=parse_since, metavar="10m", default=0.0,
        help="begin with what was kept for so long before; all: with all there is",
    )  # fmt: skip
    verb.takes("--retained", action="store_true", help="the newest retained of each subject first")
    verb.takes("--live", action="store_true", help="packets alone; logs are not read")
    verb.takes(
        "--name", default="", help="go on where this name was last, and let the nodes remember it"
    )
    takes_target(verb)
    verb.ends(EXAMPLES)


def parse_since(text: str) -> float:
    """Parse how far back to begin, in seconds; -1 for all."""
    return -1.0 if text == EVERYTHING else parse_seconds(text)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show what comes."""
    words: list[str] = arguments.words
    needed = 1 + (arguments.socket is None)
    if len(words) != needed:
        what = "HOST and FILTER" if arguments.socket is None else "one FILTER"
        raise UsageError(f"{what} needed, {len(words)} given", command="ei sub")
    host = find_target(words[0] if arguments.socket is None else None, arguments, kind="host")
    messages: list[dict[str, object]] = []

    def show(answer: Mapping[str, object]) -> None:
        if "subject" in answer:
            message = {key: value for key, value in answer.items() if key != "schema"}
            if output.is_json:
                messages.append(message)
            output.data(line_of(message))

    wanted = {
        "filter": words[-1],
        "count": arguments.count,
        "seconds": arguments.seconds,
        "name": arguments.name,
        "since_s": arguments.since,
        "is_retained": arguments.retained,
        "is_live": arguments.live,
    }
    answer = host.ask("subscribe", wanted, deadline_s=arguments.seconds + 20.0, on_progress=show)
    output.document("ei.subscribed/1", {"filter": answer["filter"], "messages": messages})
    return Exit.OK if answer["count"] else Exit.NEGATIVE


def line_of(message: Mapping[str, object]) -> str:
    """Return a message in a line: its subject, and its text as far as a terminal shows it."""
    data = base64.b64decode(str(message["data"]))
    lost = f"  ({message['lost']} before it were lost)" if message["lost"] else ""
    return f"{message['subject']}  {printable(data.decode(errors='replace'))}{lost}"
