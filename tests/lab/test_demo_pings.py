"""What the pings of the demo promise."""

import pytest

from ei.lab.demo import Outcome
from ei.lab.demo_pings import PINGS


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_each_of_eight_hosts_is_answered_by_the_other_seven(demo: Outcome) -> None:
    measured = {each.name: each.measured for each in demo.report.promises}

    assert measured["every host answers every other"] == 8 * 7 * PINGS
