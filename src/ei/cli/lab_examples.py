"""`ei lab examples`: the scenarios and topologies that come with this program."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab examples`."""
    _ = verbs.add(
        "examples",
        summary="list the scenarios and topologies that come with this program",
        execute=execute,
    )


def execute(_arguments: argparse.Namespace, output: Output) -> Exit:
    """List what can be run and what can be started."""
    from ei.lab.catalogue import TOPOLOGIES, find_scenarios
    from ei.lab.scenario import load_scenario

    scenarios = {name: load_scenario(name).summary for name in find_scenarios()}
    topologies = {
        path.stem: path.read_text().partition("\n")[0].lstrip("# ")
        for path in sorted(TOPOLOGIES.glob("*.toml"))
    }
    for title, found in (
        ("scenarios, for ei lab run:", scenarios),
        ("topologies, for ei lab up:", topologies),
    ):
        output.data(title)
        for name, summary in found.items():
            output.fold(f"  {name:14} {summary}", indent=" " * 17)
    output.document("ei.lab-examples/1", {"scenarios": scenarios, "topologies": topologies})
    first = next(iter(scenarios), None)
    output.next(*([f"ei lab run {first}"] if first else []), "ei lab up")
    return Exit.OK
