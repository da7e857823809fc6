"""What comes with this program: topologies by name, and the folders of scenarios."""

from pathlib import Path

from ei.errors import NotFoundError
from ei.lab.topology import Topology, suggestion
from ei.lab.topology_file import load_topology

SCENARIOS = Path(__file__).parent.parent / "scenarios"
TOPOLOGIES = Path(__file__).parent / "topologies"


def find_scenarios() -> dict[str, Path]:
    """Return the folders of the scenarios that come with this program, by name: `ways-in`."""
    found = sorted(SCENARIOS.glob("*/scenario.py"))
    return {path.parent.name.replace("_", "-"): path.parent for path in found}


def find_topology(place: str) -> Topology:
    """Return a topology by the name of a built-in one or of a scenario, or from a file or folder.

    Raises:
        NotFoundError: there is none.
        ConfigError: something in it is wrong.
    """
    built_in = {path.stem: path for path in sorted(TOPOLOGIES.glob("*.toml"))}
    scenarios = {name: folder / "topology.toml" for name, folder in find_scenarios().items()}
    path = (built_in | scenarios).get(place) or Path(place)
    if path.is_dir():
        path /= "topology.toml"
    if not path.is_file():
        known = [*built_in, *scenarios]
        raise NotFoundError(
            f"no topology {place!r}{suggestion(place, known)}",
            remedy="See what there is: ei lab examples; or name a topology.toml or its folder",
        )
    return load_topology(path)
