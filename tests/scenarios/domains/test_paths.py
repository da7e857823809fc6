"""A valley is a step up, or across, after a path has turned."""

import pytest

from ei.lab.topology_file import parse_topology
from ei.scenarios.domains.paths import has_valley

TOPOLOGY = parse_topology(
    """
version = 1
[domains.one]
peers = ["two"]
[domains.one.nodes.n]
[domains.two.nodes.n]
[domains.left]
providers = ["one"]
peers = ["right"]
[domains.left.nodes.n]
[domains.right]
providers = ["two"]
[domains.right.nodes.n]
[domains.both]
providers = ["left", "right"]
[domains.both.nodes.n]
""",
    name="valleys",
)


@pytest.mark.parametrize(
    "path",
    [
        ("left",),
        ("left", "one", "two", "right", "both"),
        ("left", "right", "both"),
        ("both", "left", "right"),
    ],
)
def test_up_across_once_and_down_is_paid_for(path: tuple[str, ...]) -> None:
    assert not has_valley(path, TOPOLOGY)


@pytest.mark.parametrize(
    "path",
    [
        ("left", "both", "right"),
        ("one", "left", "right"),
        ("left", "right", "two"),
        ("left", "two"),
        ("one", "two", "one"),
    ],
)
def test_all_else_is_a_valley(path: tuple[str, ...]) -> None:
    assert has_valley(path, TOPOLOGY)
