"""What a host avoids or requires binds the way of its packets, and is said when there is none."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ei.errors import DeadlineError
from ei.lab.fixture import run_simulated
from ei.lab.scenario import load_scenario
from ei.lab.simulation import Simulation
from ei.scenarios.domains.paths import domains_passed

TOPOLOGY = load_scenario("domains").topology
CARL, DORA = "carl.isp-a", "dora.isp-b"


Script = Callable[[Simulation], Coroutine[Any, Any, None]]


def run(script: Script) -> None:
    async def settled(lab: Simulation) -> None:
        await lab.sleep(3)
        await script(lab)

    run_simulated(TOPOLOGY, settled, seed=3)


def test_a_domain_that_is_avoided_is_passed_by() -> None:
    async def script(lab: Simulation) -> None:
        assert await domains_passed(lab, CARL, DORA) == ("isp-a", "isp-b")

        lab.host(CARL).keep_to(require=["transit-a"])
        assert await domains_passed(lab, CARL, DORA) == ("isp-a", "transit-a", "isp-b")
        lab.host(CARL).keep_to(avoid=["transit-a"])
        assert await domains_passed(lab, CARL, DORA) == ("isp-a", "isp-b")

    run(script)


def test_without_a_way_that_is_allowed_packets_are_dropped_for_a_reason() -> None:
    async def script(lab: Simulation) -> None:
        lab.host(CARL).keep_to(avoid=["isp-b"])
        with pytest.raises(DeadlineError):
            _ = await lab.host(CARL).ping(DORA, deadline_s=1.0)

        statistics = [await lab.statistics(f"sn{number}.isp-a") for number in (1, 2)]
        assert "host_unreachable" in str(statistics)

    run(script)


def test_the_constraint_travels_along_and_binds_the_domains_between() -> None:
    async def script(lab: Simulation) -> None:
        lab.host(CARL).keep_to(require=["transit-a"])

        path = await domains_passed(lab, CARL, "fred.edge")
        assert path == ("isp-a", "transit-a", "isp-b", "edge")

    run(script)
