"""The promises of scale hold what grows against n log n."""

import asyncio
from typing import cast

import msgspec

from ei.lab.lab import Lab
from ei.lab.promises import Promise
from ei.lab.scenario import load_scenario
from ei.scenarios.scale.measuring import Measured
from ei.scenarios.scale.scenario import promise_alone, promises_of, run

SMALL = Measured(
    domains=250,
    converged_s=4.0,
    routes=250 * 249,
    messages=250 * 20,
    bytes=250 * 1_000,
    announced=1,
    memory_bytes=250 * 500,
    verified=250 * 400,
    verified_before=250 * 1_000,
    refused=0,
    hosts=2_500,
    found=2_500,
    slowest_s=0.4,
    searched_messages=1,
    searched_bytes=1,
    arrived=2_500,
    valleys=0,
    cuts_s=(1.0, 4.0),
    arrived_after_cuts=2_500,
    cpu_s=250.0,
)


def twice(**changed: float) -> Measured:
    """Return an internet of twice the size that took so much more a domain."""
    grown = {
        "domains": 500,
        "routes": 500 * 499,
        "messages": 500 * 44,
        "bytes": 500 * 2_200,
        "memory_bytes": 500 * 1_100,
        "cpu_s": 1_100.0,
    }
    return msgspec.structs.replace(SMALL, **(grown | changed))


def broken(measured: Measured) -> list[str]:
    return [each.name for each in promises_of(measured, SMALL) if each.status != "ok"]


def test_growth_by_n_log_n_is_kept_and_more_is_not() -> None:
    assert broken(twice()) == []
    assert broken(twice(bytes=500 * 2_300)) == ["500 domains: bytes a domain, 250 as baseline"]
    assert broken(twice(memory_bytes=500 * 1_200)) == [
        "500 domains: memory a domain, 250 as baseline"
    ]


def test_the_smallest_size_is_held_against_no_other() -> None:
    names = [each.name for each in promises_of(SMALL, None)]

    assert "250 domains: each reaches each" in names
    assert not any("baseline" in name for name in names)


def test_what_is_not_reached_found_or_in_time_is_broken() -> None:
    assert broken(twice(routes=500 * 499 - 1)) == ["500 domains: each reaches each"]
    assert broken(twice(found=2_499)) == ["500 domains: hosts found by name"]
    assert broken(twice(valleys=1)) == ["500 domains: ways with a valley"]
    assert broken(msgspec.structs.replace(twice(), cuts_s=(1.0, 5.1))) == [
        "500 domains: slowest cut"
    ]


def test_without_a_memo_each_domain_verifies_all_itself() -> None:
    alone = msgspec.structs.replace(SMALL, verified=250 * 1_400, verified_before=0)

    assert promise_alone(alone, SMALL).status == "ok"
    assert promise_alone(SMALL, SMALL).status == "broken"


def test_real_processes_do_not_measure_it() -> None:
    class Real:
        backend = "processes"

    async def collect() -> list[Promise]:
        return [each async for each in run(cast("Lab", Real()))]

    (only,) = asyncio.run(collect())

    assert only.status == "unsupported"


def test_the_scenario_is_found_by_name() -> None:
    scenario = load_scenario("scale")

    assert scenario.summary.startswith("Scale:")
