"""`ei pub`: publish a message under a subject."""

import argparse
import base64
import sys

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_seconds
from ei.cli.targets import find_target, takes_target

EXAMPLES = """\
examples:
  ei pub alice weather/oslo rain                 to who listens now
  ei pub alice weather/oslo rain --keep          on disk when this returns
  ei pub alice weather/oslo rain --retain        and the first that later subscribers get
  date | ei pub alice clock -                    what comes by the standard input
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei pub`."""
    verb = commands.add(
        "pub",
        summary="publish a message under a subject",
        details="Without --keep it reaches those who have subscribed, at most once. With it, it "
        "is in the log of the host's node, on as many disks as the operator says, and is read "
        "from there by those who subscribe, now or later.",
        execute=execute,
    )
    verb.takes(
        "words",
        nargs="*",
        metavar="[HOST] SUBJECT MESSAGE",
        help="HOST of the lab is left out where a socket names it; MESSAGE - is what is read",
    )
    verb.takes("--keep", action="store_true", help="wait until it is on disk")
    verb.takes("--retain", action="store_true", help="as --keep, and who comes later gets it first")
    verb.takes(
        "--timeout",
        type=parse_seconds,
        metavar="10s",
        default=10.0,
        help="for --keep (default 10s)",
    )
    takes_target(verb)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Publish it."""
    words: list[str] = arguments.words
    needed = 2 + (arguments.socket is None)
    if len(words) != needed:
        what = "HOST, SUBJECT and MESSAGE" if arguments.socket is None else "SUBJECT and MESSAGE"
        raise UsageError(f"{what} needed, {len(words)} given", command="ei pub")
    host = find_target(words[0] if arguments.socket is None else None, arguments, kind="host")
    subject, text = words[-2:]
    data = sys.stdin.buffer.read() if text == "-" else text.encode()
    wanted = {
        "subject": subject,
        "data": base64.b64encode(data).decode(),
        "is_kept": arguments.keep,
        "is_retained": arguments.retain,
        "deadline_s": arguments.timeout,
    }
    answer = host.ask("publish", wanted, deadline_s=arguments.timeout + 6.0)
    published = {key: value for key, value in answer.items() if key != "schema"}
    if published["node"]:
        output.fold(f"{subject}: kept by {published['node']}, position {published['position']}")
    else:
        output.fold(f"{subject}: sent")
    output.document("ei.published/1", published)
    return Exit.OK
