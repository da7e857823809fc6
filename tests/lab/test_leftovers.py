"""What `make leftovers` promises: a few of its rounds."""

from collections.abc import Mapping
from random import Random

import pytest

from ei.lab.leftovers import run_round


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_nothing_is_left_whatever_was_killed(environ: Mapping[str, str], seed: int) -> None:
    each = run_round(Random(seed), environ=environ)

    assert each.left.count == 0, each
    assert each.killed
