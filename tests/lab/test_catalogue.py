"""What finding topologies and scenarios promises."""

from pathlib import Path

import pytest

from ei.errors import NotFoundError
from ei.lab.catalogue import find_scenarios, find_topology


def test_a_topology_is_found_by_name_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "topology.toml").write_text("version = 1\n[domains.a.nodes.x]")

    assert find_topology("threedomains").name == "threedomains"
    assert find_topology(str(tmp_path)).name == tmp_path.name
    assert find_topology(str(tmp_path / "topology.toml")).nodes.keys() == {"x.a"}


def test_a_topology_that_is_not_there_gets_a_suggestion() -> None:
    with pytest.raises(NotFoundError, match="no topology 'threedomain'; did you mean 'threedom"):
        find_topology("threedomain")


def test_every_scenario_has_a_topology() -> None:
    for name, folder in find_scenarios().items():
        assert find_topology(name).nodes, folder


def test_names_have_dashes_where_folders_cannot() -> None:
    assert find_scenarios()["ways-in"].name == "ways_in"
    assert "ways_in" not in find_scenarios()
