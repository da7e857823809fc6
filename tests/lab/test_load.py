"""What the traffic of scenarios promises."""

import asyncio
import inspect

import pytest

from ei.errors import DeadlineError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.load import (
    all_pairs,
    carry,
    fastest_ms,
    gather_bounded,
    node_in_use,
    ping_pairs,
    send_with_receipts,
    until,
)
from ei.lab.simulation import Simulation

TOPOLOGY = find_topology("delivery")


def test_every_ordered_pair_is_one() -> None:
    assert all_pairs("abc") == [
        ("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b"),
    ]  # fmt: skip


def test_pings_come_in_the_order_of_their_pairs_and_silence_is_none() -> None:
    async def script(lab: Simulation) -> list[float | None]:
        await lab.sleep(1)
        _ = await ping_pairs(lab, [("alice", "bob")])
        await lab.kill("sn1.isp-b")
        await lab.kill("sn2.isp-b")
        pings = await ping_pairs(lab, [("alice", "bob")], deadline_s=0.5)
        return [ping.round_trip_s for ping in pings]

    assert run_simulated(TOPOLOGY, script) == [None]


def test_receipts_come_for_all_datagrams() -> None:
    async def script(lab: Simulation) -> list[str]:
        await lab.sleep(1)
        bob = lab.host("bob")
        with bob.datagrams(7):
            receipts = await send_with_receipts(lab.host("alice"), bob.name, port=7, count=40)
        return [receipt.outcome for receipt in receipts]

    assert run_simulated(TOPOLOGY, script) == ["delivered"] * 40


def test_content_is_carried_whole() -> None:
    content = bytes(range(256)) * 1_000

    async def script(lab: Simulation) -> bytes:
        await lab.sleep(1)
        return await carry(lab.host("alice"), lab.host("bob"), content)

    assert run_simulated(TOPOLOGY, script) == content


def test_waiting_ends_when_it_holds_or_when_it_took_too_long() -> None:
    async def script(lab: Simulation) -> tuple[float | None, float | None]:
        began_s = lab.now_s()

        async def after_a_second() -> bool:
            return lab.now_s() - began_s >= 1

        async def never() -> bool:
            return False

        return await until(lab, after_a_second, limit_s=5), await until(lab, never, limit_s=2)

    held_s, gave_up_s = run_simulated(TOPOLOGY, script)

    assert held_s == pytest.approx(1, abs=0.03)
    assert gave_up_s is None


def test_at_most_so_many_run_at_once_and_results_keep_their_order() -> None:
    running = 0
    most = 0

    async def one(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    async def script(_lab: Simulation) -> list[int]:
        return await gather_bounded([one(number) for number in range(10)], at_once=3)

    assert run_simulated(TOPOLOGY, script) == list(range(10))
    assert most == 3


def test_the_first_error_of_many_is_raised_alone() -> None:
    async def fail() -> None:
        raise DeadlineError("nobody came")

    async def script(_lab: Simulation) -> None:
        _ = await gather_bounded([fail(), fail()])

    with pytest.raises(DeadlineError, match="nobody came"):
        run_simulated(TOPOLOGY, script)


def test_calls_that_did_not_get_their_turn_are_closed() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    calls = [hang() for _ in range(3)]

    async def script(_lab: Simulation) -> None:
        async with asyncio.timeout(1):
            _ = await gather_bounded(calls, at_once=1)

    with pytest.raises(TimeoutError):
        run_simulated(TOPOLOGY, script)
    assert {inspect.getcoroutinestate(call) for call in calls} == {inspect.CORO_CLOSED}


def test_the_fastest_leaves_out_what_was_not_answered() -> None:
    assert fastest_ms([0.002, None, 0.001]) == 1.0
    assert fastest_ms([None]) is None


def test_the_node_in_use_is_the_preferred_one() -> None:
    async def script(lab: Simulation) -> str:
        return node_in_use(lab.host("alice"))

    assert run_simulated(TOPOLOGY, script) in {"sn1.isp-a", "sn2.isp-a"}
