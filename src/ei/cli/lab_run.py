"""`ei lab run`: run a scenario and hold what it measures against what it promises."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs

if TYPE_CHECKING:
    from ei.lab.promises import Promise

BACKENDS = ("simulation", "processes")
MOST_SEED = 2**64 - 1
EXAMPLES = """\
examples:
  ei lab run core                                  in virtual time, seed 1
  ei lab run core --backend processes              real daemons over 127/8
  ei lab run ./my-scenario --seed 7 --json         a folder of yours
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab run`."""
    verb = verbs.add(
        "run",
        summary="run a scenario, and hold what it measures against what it promises",
        details="Exit code 1 unless all promises are kept.",
        execute=execute,
    )
    verb.takes(
        "scenario",
        metavar="SCENARIO",
        help="a name (ei lab examples lists them), or a folder with scenario.py and topology.toml",
    )
    verb.takes(
        "--backend",
        choices=BACKENDS,
        metavar="BACKEND",
        default=BACKENDS[0],
        help="simulation (virtual time; default) or processes (real daemons)",
    )
    verb.takes(
        "--seed", type=parse_seed, metavar="N", default=1, help="of all that is random (default 1)"
    )
    verb.takes(
        "--capture",
        type=Path,
        metavar="FILE",
        help="write all that crosses a simulated underlay, headers opened (see ei decode)",
    )
    verb.ends(EXAMPLES)


def parse_seed(text: str) -> int:
    """Parse an unsigned number of 64 bits."""
    seed = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= seed <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2^64 - 1")
    return seed


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Run the scenario, telling about each promise as it is measured."""
    from ei.cli.promises import show_promise, show_report
    from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

    def on_promise(each: "Promise") -> None:
        show_promise(each, output)

    capture: Path | None = arguments.capture
    if capture is not None and arguments.backend != "simulation":
        message = "--capture is for simulations; capture real processes with tcpdump -i lo"
        raise UsageError(message, command="ei lab run")
    scenario = load_scenario(arguments.scenario)
    output.talk(f"{scenario.name}: {scenario.summary}")
    seed: int = arguments.seed
    if arguments.backend == "simulation":
        report = run_in_simulation(scenario, seed=seed, on_promise=on_promise, capture=capture)
    else:
        report = run_in_processes(scenario, seed=seed, on_promise=on_promise)
    code = show_report(report, output)
    if capture is not None:
        output.next(f"ei decode {capture}")
    elif code is Exit.OK:
        output.next("ei lab examples", "ei lab up")
    else:
        output.next(f"ei lab run {arguments.scenario} --seed {arguments.seed} --json")
    return code
