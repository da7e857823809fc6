"""`ei node drain`: stop a node without losing anything."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import duration, parse_seconds
from ei.cli.targets import find_target, takes_target

SLACK_S = 5.0
LOOK_S = 0.02


def add_parser(verbs: Verbs) -> None:
    """Add `ei node drain`."""
    verb = verbs.add(
        "drain",
        summary="stop a running node without losing anything",
        details=(
            "Its hosts and the nodes around it are told, take other ways, and say so; what the node"
            " has accepted it still delivers. Then it closes its pipes and ends. Exit 1 when"
            " somebody had not moved in time."
        ),
        execute=_execute,
    )
    verb.takes("name", nargs="?", metavar="NAME", help="a node of the lab")
    verb.takes(
        "--grace",
        type=parse_seconds,
        default=10.0,
        metavar="TIME",
        help="longest wait for the others to move (default: 10s)",
    )
    verb.takes(
        "--spread",
        type=parse_seconds,
        default=0.0,
        metavar="TIME",
        help="tell hosts one after another, over so much time (default: at once)",
    )
    takes_target(verb)


def _execute(arguments: argparse.Namespace, output: Output) -> Exit:
    import msgspec

    from ei.node.admin import DrainAnswer

    target = find_target(arguments.name, arguments, kind="node")

    def show(progress: Mapping[str, object]) -> None:
        output.progress(f"{progress['using']} of {progress['peers']} peers still use it")

    answer = target.ask(
        "drain",
        {"grace_s": arguments.grace, "spread_s": arguments.spread},
        deadline_s=arguments.grace + arguments.spread + SLACK_S,
        on_progress=show,
    )
    ended = msgspec.convert(answer, DrainAnswer)
    _wait_gone(target.socket)
    output.data(f"{target.name} drained in {duration(ended.took_s)}: {ended.moved} peers moved")
    for name in ended.left:
        output.fold(f"{output.mark('warn')} {name} had not moved in time")
    if ended.waiting:
        output.fold(f"{output.mark('warn')} {ended.waiting} packets inside were dropped")
    output.document("ei.node-drain/1", {"name": target.name, **msgspec.to_builtins(ended)})
    return Exit.NEGATIVE if ended.left or ended.waiting else Exit.OK


def _wait_gone(socket: Path) -> None:
    """Return when the node has ended, which removes its socket; what follows may need its place."""
    deadline_s = time.monotonic() + SLACK_S
    while socket.exists() and time.monotonic() < deadline_s:
        time.sleep(LOOK_S)
