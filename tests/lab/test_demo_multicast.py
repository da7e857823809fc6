"""What the multicast of the demo promises."""

import pytest

from ei.lab.demo import Outcome
from ei.lab.demo_context import LISTENERS


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_six_hosts_hear_everything_by_one_copy_on_each_pipe(demo: Outcome) -> None:
    measured = {each.name: each.measured for each in demo.report.promises}

    assert measured["hosts that got every packet"] == len(LISTENERS) == 6
    assert measured["packets that came twice"] == 0
    assert measured["copies of a packet on a pipe"] == 1.0
