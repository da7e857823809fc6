"""`ei top`: what all nodes are doing right now, as rates."""

import argparse
import time
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import duration, parse_count, parse_seconds
from ei.cli.targets import takes_target

if TYPE_CHECKING:
    from ei.cli.rates import Sample


def add_parser(commands: Verbs) -> None:
    """Add `ei top`."""
    verb = commands.add(
        "top",
        summary="show what all nodes are doing right now, as rates",
        details="On a terminal it redraws until Ctrl-C; elsewhere it prints once.",
        execute=execute,
    )
    verb.takes("--interval", type=parse_seconds, metavar="1s", default=1.0, help="between looks")
    verb.takes("--count", type=parse_count, metavar="N", help="so many looks, then end")
    takes_target(verb)


HEADER = ("node", "received/s", "forwarded/s", "missed/s", "dropped/s", "Mb/s", "peers", "rtt")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Look again and again, and show what changed in between."""
    from ei.cli.rates import look
    from ei.cli.targets import Target, lab_targets

    if arguments.socket is not None:
        targets = [Target(str(arguments.socket), arguments.socket)]
    else:
        targets = lab_targets(arguments, kind="node")
    is_live = output.is_terminal and not output.is_json
    left = arguments.count or (None if is_live else 1)
    before = look(targets)
    while left is None or left > 0:
        time.sleep(arguments.interval)
        after = look(targets)
        if is_live:
            output.home()
        _show(before, after, output, is_last=left == 1)
        before = after
        left = None if left is None else left - 1
    return Exit.OK


def _show(
    before: "dict[str, Sample]", after: "dict[str, Sample]", output: Output, *, is_last: bool
) -> None:
    from ei.cli.rates import rates_between

    rates = [rates_between(before.get(name), sample) for name, sample in after.items()]
    output.table(
        HEADER,
        [
            (
                rate.name,
                *(f"{value:.0f}" for value in (rate.received, rate.forwarded, rate.missed)),
                f"{rate.dropped:.0f}",
                f"{rate.megabits:.1f}",
                rate.peers,
                duration(rate.rtt_s),
            )
            if not rate.trouble
            else (rate.name, *["-"] * 6, rate.trouble)
            for rate in rates
        ],
    )
    if is_last:
        output.document("ei.top/1", {"nodes": [rate.content() for rate in rates]})
