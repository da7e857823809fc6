"""What `make leftovers` promises: a few of its rounds."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from ei.lab.leftovers import run_round


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_f3_nothing_is_left_whatever_was_killed(environ: Mapping[str, str], seed: int) -> None:
    each = run_round(Random(seed), environ=environ)

    assert each.left.count == 0, each
    assert each.killed


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_f3_nothing_is_left_of_namespaces(environ: Mapping[str, str], seed: int) -> None:
    devices, mounts = Path("/proc/net/dev"), Path("/proc/self/mounts")
    before = (names(devices), mounts.read_text())

    each = run_round(Random(seed), environ=environ, backend="netns")

    assert each.left.count == 0, each
    assert (names(devices), mounts.read_text()) == before


def names(devices: Path) -> set[str]:
    """Return the network devices that this process sees."""
    return {line.partition(":")[0].strip() for line in devices.read_text().splitlines()[2:]}
