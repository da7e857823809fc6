"""The scenario `flood`: what it promises, and how it is judged."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import pytest

from ei.lab.lab import Lab
from ei.lab.promises import Promise
from ei.lab.scenario import load_scenario, run_in_processes
from ei.scenarios.drain.load import Flow, Seen
from ei.scenarios.flood.flooder import Flooded
from ei.scenarios.flood.scenario import Course, judge, run_for

FLOODED = Flooded(sent=600_000, seconds=30.0)
COURSE = Course(FLOODED, [0.2, 1.4], [50_000.0] * 100, refused=599_000)


def seen(*, lost: int = 0) -> Seen:
    flow = Flow(sent=60_000, numbers=set(range(60_000 - lost)))
    return Seen([flow], sent_digest="a", received_digest="a", duration_s=30.0)


def statuses(course: Course, load: Seen) -> dict[str, str]:
    return {each.name: each.status for each in judge(course, load, calm=seen())}


def test_a_flood_that_nobody_notices_keeps_all_promises() -> None:
    assert set(statuses(COURSE, seen()).values()) == {"ok"}


def test_flows_that_lose_more_than_a_twentieth_are_a_broken_promise() -> None:
    assert statuses(COURSE, seen(lost=3_010))["established flows keep of their rate"] == "broken"


def test_a_host_that_waits_longer_than_two_seconds_is_a_broken_promise() -> None:
    slow = replace(COURSE, comings_s=[0.2, 2.1])

    assert statuses(slow, seen())["a new host connects, the slowest of 2"] == "broken"


def test_memory_that_grows_is_a_broken_promise() -> None:
    growing = replace(COURSE, memory_kib=[50_000.0 + 200 * number for number in range(100)])

    name = "growth of the node's memory under the flood"
    assert statuses(growing, seen())[name] == "broken"


def test_a_flood_that_did_not_reach_its_rate_shows_nothing() -> None:
    weak = replace(COURSE, flooded=Flooded(sent=300_000, seconds=30.0))

    found = statuses(weak, seen())
    assert found["spoofed initiations"] == "broken"
    assert found["established flows keep of their rate"] == "invalid"


def test_a_flood_that_the_node_did_not_see_shows_nothing() -> None:
    unseen = replace(COURSE, refused=300_000)

    found = statuses(unseen, seen())
    assert found["of them reached the node"] == "broken"
    assert found["a new host connects, the slowest of 2"] == "invalid"


async def run_short(lab: Lab) -> AsyncGenerator[Promise]:
    async for each in run_for(lab, seconds=10.0):
        yield each


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a1_a_flood_of_spoofed_initiations_costs_flows_and_newcomers_nothing(
    environ: Mapping[str, str],
) -> None:
    short = replace(load_scenario("flood"), run=run_short)

    report = run_in_processes(short, seed=7, environ=environ)

    # A flood that a machine that was busy elsewhere has held up shows nothing, and breaks nothing.
    broken = {each.name for each in report.promises if each.status == "broken"}
    assert broken <= {"spoofed initiations", "of them reached the node"}
