"""What services cost is measured of what they really do."""

from itertools import islice

import pytest

from ei.bench.exercises import PACKETS, STREAMS
from ei.bench.service_costs import AT_ONCE, DECIDED, UNDECIDED, costs
from ei.errors import LocalError


@pytest.mark.slow
@pytest.mark.parametrize("service", sorted(PACKETS))
def test_packets_are_delivered_decided_and_undecided(service: str) -> None:
    decided, undecided = islice(costs(service, warm=AT_ONCE, many=2 * AT_ONCE), 2)

    assert [decided.work, undecided.work] == [DECIDED, UNDECIDED]
    assert min(decided.cpu_us, undecided.cpu_us) > 0
    assert undecided.kept_bytes >= decided.kept_bytes >= 0


@pytest.mark.slow
@pytest.mark.parametrize("service", sorted(STREAMS))
def test_all_work_of_streams_is_done(service: str) -> None:
    found = [
        cost
        for cost in costs(service, warm=AT_ONCE, many=AT_ONCE)
        if cost.work not in {DECIDED, UNDECIDED}
    ]

    assert [cost.work for cost in found] == list(STREAMS[service].works)
    assert all(cost.cpu_us > 0 and cost.kept_bytes >= 0 for cost in found)


def test_a_service_of_which_nobody_said_what_it_does_costs_nothing_yet() -> None:
    with pytest.raises(LocalError, match=r"nobody said in ei/bench/exercises\.py what odd does"):
        _ = list(costs("odd"))
