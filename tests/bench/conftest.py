"""A real node over loopback, shared by all who measure with it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lab.conftest import lonely, silence

from ei.bench.network import loopback
from ei.bench.world import World, open_world

__all__ = ["lonely", "silence"]

HERE = Path(__file__).parent
SINKS = 24
LIMIT_S = 5.0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow here measures the machine."""
    for item in items:
        if item.get_closest_marker("slow") and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.alone)


def counted(world: World, name: str) -> int:
    """Return one of the node's counters."""
    count = world.look()[name]
    assert isinstance(count, int)
    return count


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when `is_so()`."""
    deadline_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline_s, f"not within {LIMIT_S} s"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A node that runs all the time, and hosts that no test may leave attached."""
    with open_world(loopback(), sinks=SINKS, is_pinned=False) as world:
        yield world
