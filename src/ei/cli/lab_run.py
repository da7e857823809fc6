"""`ei lab run`: run a scenario and hold what it measures against what it promises."""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_count
from ei.errors import DeniedError

if TYPE_CHECKING:
    from ei.lab.promises import Promise, Report
    from ei.lab.scenario import Scenario

BACKENDS = ("simulation", "processes", "netns")
NETNS = BACKENDS[-1]
MOST_SEED = 2**64 - 1
MOST_RUNS = 100_000
EXAMPLES = """\
examples:
  ei lab run core                                  in virtual time, seed 1
  ei lab run core --backend processes              real daemons over 127/8
  ei lab run ./my-scenario --seed 7 --json         a folder of yours
  ei lab run failover --repeat 20 --seed 7         seeds 7 to 26, and the worst of each promise
  ei lab run core --nodes 1000 --hosts 10000 --processes 2
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
        help="simulation (virtual time), processes (real daemons), or netns (real daemons in "
        "network namespaces, as root); by default the first that shows all of the scenario",
    )
    verb.takes(
        "--seed", type=parse_seed, metavar="N", default=1, help="of all that is random (default 1)"
    )
    verb.takes(
        "--repeat",
        type=parse_runs,
        metavar="N",
        default=1,
        help="so many runs, each from the next seed: shows the worst of each promise",
    )
    verb.takes(
        "--capture",
        type=Path,
        metavar="FILE",
        help="write all that crosses a simulated underlay, headers opened (see ei decode)",
    )
    verb.takes(
        "--nodes",
        type=parse_count,
        metavar="N",
        help="simulate so many nodes, 10 to a domain, in place of the scenario's own topology",
    )
    verb.takes(
        "--hosts", type=parse_count, metavar="N", help="and so many hosts, which ping one another"
    )
    verb.takes(
        "--processes",
        type=parse_count,
        metavar="N",
        help="deal their domains to so many processes (default 1); the digest stays the same",
    )
    verb.ends(EXAMPLES)


def parse_seed(text: str) -> int:
    """Parse an unsigned number of 64 bits."""
    seed = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= seed <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2^64 - 1")
    return seed


def parse_runs(text: str) -> int:
    """Parse a number of runs."""
    runs = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= runs <= MOST_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_RUNS}")
    return runs


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Run the scenario, telling about each promise as it is measured."""
    from ei.lab.scenario import load_scenario

    capture: Path | None = arguments.capture
    scenario = load_scenario(arguments.scenario)
    if arguments.backend is None:
        arguments.backend = default_backend(scenario.backends, has_namespaces=has_namespaces)
    _check(arguments, capture)
    output.talk(f"{scenario.name}: {scenario.summary}")
    if arguments.nodes is not None:
        return _run_large(scenario, arguments, output)
    code = (_run_many if arguments.repeat > 1 else _run_once)(scenario, arguments, output)
    if capture is not None:
        output.next(f"ei decode {capture}")
    elif code is Exit.OK:
        output.next("ei lab examples", "ei lab up")
    elif arguments.backend == "simulation" and arguments.repeat == 1:
        output.next(f"ei lab replay {scenario.name}-{arguments.seed}")
    else:
        output.next(f"ei lab run {arguments.scenario} --seed {arguments.seed} --json")
    return code


def default_backend(backends: Sequence[str], *, has_namespaces: Callable[[], bool]) -> str:
    """Return where a scenario runs if nobody says: the first of its backends that is possible.

    Args:
        backends: The preferred first.
        has_namespaces: Asked only when it matters: it makes a namespace to see.
    """
    possible = (each for each in backends if each != NETNS or has_namespaces())
    return next(possible, backends[0])


def has_namespaces() -> bool:
    """Whether this user may make network namespaces here."""
    from ei.lab.namespaces import check_allowed

    try:
        check_allowed(environ=os.environ)
    except DeniedError:
        return False
    return True


def _check(arguments: argparse.Namespace, capture: Path | None) -> None:
    """Refuse what does not go together."""
    last_seed: int = arguments.seed + arguments.repeat - 1
    is_large = arguments.nodes is not None
    wrong = ""
    if is_large != (arguments.hosts is not None):
        wrong = "--nodes and --hosts go together, such as --nodes 100 --hosts 1000"
    elif not is_large and arguments.processes is not None:
        wrong = "--processes is for large simulations: give --nodes and --hosts too"
    elif is_large and (arguments.backend != "simulation" or capture or arguments.repeat > 1):
        wrong = "--nodes and --hosts are for one simulation, without --capture and --repeat"
    elif capture is not None and arguments.backend != "simulation":
        wrong = "--capture is for simulations; capture real daemons with tcpdump"
    elif capture is not None and arguments.repeat > 1:
        wrong = "--capture is of one run: give its --seed, and no --repeat"
    elif last_seed > MOST_SEED:
        wrong = f"the last of these runs would have seed {last_seed}; allowed are 0 to 2^64 - 1"
    if wrong:
        raise UsageError(wrong, command="ei lab run")


def _run_once(scenario: "Scenario", arguments: argparse.Namespace, output: Output) -> Exit:
    from ei.cli.promises import show_promise, show_report
    from ei.lab.recording import RunStore, run_recorded
    from ei.lab.scenario import run_in_processes

    def on_promise(each: "Promise") -> None:
        show_promise(each, output)

    seed: int = arguments.seed
    if arguments.backend == "simulation":
        # Kept, so that it can be replayed.
        report = run_recorded(
            scenario,
            RunStore(os.environ),
            seed=seed,
            unix_s=time.time(),
            on_promise=on_promise,
            capture=arguments.capture,
            on_unsaved=lambda error: output.talk(f"the run is not kept: {error}"),
        )
    else:
        report = run_in_processes(
            scenario, seed=seed, backend=arguments.backend, on_promise=on_promise
        )
    return show_report(report, output)


def _run_large(scenario: "Scenario", arguments: argparse.Namespace, output: Output) -> Exit:
    from ei.cli.promises import show_promise, show_report
    from ei.lab.scenario import run_at_scale

    report = run_at_scale(
        scenario,
        nodes=arguments.nodes,
        hosts=arguments.hosts,
        processes=arguments.processes or 1,
        seed=arguments.seed,
        on_promise=lambda each: show_promise(each, output),
        on_said=output.talk,
    )
    code = show_report(report, output)
    size = f"--nodes {arguments.nodes} --hosts {arguments.hosts}"
    output.next(f"ei lab run {arguments.scenario} {size} --processes 2", "ei bench simulate")
    return code


def _run_many(scenario: "Scenario", arguments: argparse.Namespace, output: Output) -> Exit:
    from ei.cli.promises import show_repeated, show_run
    from ei.lab.repeated import merge
    from ei.lab.scenario import run_in_processes
    from ei.lab.series import run_series

    seeds = range(arguments.seed, arguments.seed + arguments.repeat)
    runs = (run_in_processes(scenario, seed=seed, backend=arguments.backend) for seed in seeds)
    if arguments.backend == "simulation":
        runs = run_series(arguments.scenario, seeds)
    reports: list[Report] = []
    for report in runs:
        show_run(report, output)
        reports.append(report)
    return show_repeated(merge(reports), output)
