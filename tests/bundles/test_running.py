"""A bundle of services that exist, over two nodes: the same as its services one by one."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from ei.bundles import prepare_bundles
from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.simulation import Simulation
from ei.lab.topology_file import parse_topology
from ei.scenarios.compression.ends import Tenant
from ei.scenarios.compression.readings import readings

FOLDER = Path(__file__).parent / "services"
METERED, DELIVERY = 4_026_531_900, 16
READINGS = 60
NODES = """\
version = 1
services = ["delivery", "compression", "census"]
service_folders = ["{folder}"]

[domains.isp-a.nodes.sn1]
config.compression.nodes = ["@sn1.isp-b"]
config.compression.decision_s = 2.0
{first}
[domains.isp-a.hosts.alice]
nodes = ["sn1"]

[domains.isp-b.nodes.sn1]
config.compression.nodes = ["@sn1.isp-a"]
config.compression.decision_s = 2.0
{second}
[domains.isp-b.hosts.bob]
nodes = ["sn1"]
{bob}
[link_defaults.domain]
delay_ms = 10
"""
BUNDLED = {"first": 'bundles = ["metered"]', "second": 'bundles = ["metered"]', "bob": ""}
BY_OPERATORS = {
    "first": 'chains.delivery = ["census", "compression", "delivery"]\n'
    'guards."sn1.isp-b" = ["compression"]',
    "second": 'chains.delivery = ["compression", "delivery"]',
    "bob": "",
}

ResultT = TypeVar("ResultT")
Script = Callable[[Simulation], Coroutine[Any, Any, ResultT]]


class Outcome(NamedTuple):
    """What arrived, and how much crossed between the nodes for it."""

    arrived: list[bytes]
    crossed_bytes: int


def run(places: dict[str, str], script: Script[ResultT], *, cache_entries: int = 65_536) -> ResultT:
    """Run a script in a simulation of two nodes."""
    topology = parse_topology(NODES.format(folder=FOLDER, **places), name="bundled")

    async def program(clock: VirtualClock) -> ResultT:
        lab = Simulation(clock, topology, seed=3, cache_entries=cache_entries)
        await lab.open()
        try:
            return await script(lab)
        finally:
            lab.close()

    return run_virtual(program)


async def taken(heard: ServiceChannel) -> list[bytes]:
    """Return what came, until nothing came for a while."""
    payloads: list[bytes] = []
    while True:
        try:
            payloads.append((await heard.receive(deadline_s=0.5)).payload)
        except DeadlineError:
            return payloads


async def crossed_bytes(lab: Simulation) -> int:
    statistics = await lab.statistics("sn1.isp-a")
    peers: Any = statistics["peers"]
    (next_node,) = lab.host("bob").nodes
    return int(peers[next_node.hex()]["sent_bytes"])


async def prepared(lab: Simulation, service: int) -> tuple[Tenant, ServiceChannel]:
    """Return alice, whose dictionary for a service both nodes have, and what bob hears."""
    alice = Tenant(lab, "alice", "bob", site="north")
    heard = lab.host("bob").listen(service, limit_items=1_024)
    await alice.offer(1, service=service)
    with alice.host.call(service, metadata=alice.to) as channel:
        for _ in range(4):
            _ = channel.send(b"to find the way, and have the dictionary offered on")
            await lab.sleep(1.0)
    _ = await taken(heard)
    return alice, heard


async def crossing(lab: Simulation, alice: Tenant, service: int) -> int:
    """Send all readings, each on a connection of its own; return what crossed between the nodes."""
    before = await crossed_bytes(lab)
    for payload in readings(9, READINGS):
        with alice.host.call(service, metadata=alice.to) as channel:
            _ = channel.send(payload)
        await lab.sleep(0.01)
    await lab.sleep(0.1)
    return await crossed_bytes(lab) - before


def sends(service: int) -> Script[Outcome]:
    async def script(lab: Simulation) -> Outcome:
        alice, heard = await prepared(lab, service)
        crossed = await crossing(lab, alice, service)
        return Outcome(await taken(heard), crossed)

    return script


@pytest.mark.slow
def test_a_bundle_does_what_its_services_do_one_by_one() -> None:
    joined = run(BUNDLED, sends(METERED))
    one_by_one = run(BUNDLED, sends(METERED), cache_entries=0)
    by_operators = run(BY_OPERATORS, sends(DELIVERY))

    assert joined.arrived == list(readings(9, READINGS))
    assert joined.arrived == one_by_one.arrived == by_operators.arrived
    assert joined.crossed_bytes == pytest.approx(by_operators.crossed_bytes, rel=0.02)
    assert joined.crossed_bytes < run(BUNDLED, sends(DELIVERY)).crossed_bytes * 0.75


def test_who_sent_it_is_told_what_each_service_of_a_bundle_did() -> None:
    async def script(lab: Simulation) -> list[list[tuple[str, str]]]:
        alice, _ = await prepared(lab, METERED)
        with alice.host.call(METERED, metadata=alice.to) as channel:
            _ = channel.send(b"traced", is_traced=True)
            await lab.sleep(0.5)
            account = await alice.host.explain(METERED, channel.connection)
        return [
            [(part.module, part.asked_by) for part in said.parts] for said in account.statements
        ]

    first, second = run(BUNDLED, script)

    assert first == [
        ("metered@1.0.0", "source"),
        ("census@0.1.0", "bundle"),
        ("compression@0.1.0", "bundle"),
        ("delivery@0.1.0", "bundle"),
        ("compression@0.1.0", "bundle"),
    ]
    assert second == [
        ("metered@1.0.0", "source"),
        ("compression@0.1.0", "bundle"),
        ("delivery@0.1.0", "bundle"),
    ]


def test_what_is_decided_for_a_bundle_is_one_decision() -> None:
    async def script(lab: Simulation) -> tuple[int, int]:
        alice, heard = await prepared(lab, METERED)
        with alice.host.call(METERED, metadata=alice.to) as channel:
            _ = channel.send(b"the first one asks its services")
            await lab.sleep(0.1)
            _ = channel.send(b"the second one joins what they decided")
            await lab.sleep(0.1)
            before: Any = (await lab.statistics("sn1.isp-a"))["missed"]
            for number in range(10):
                _ = channel.send(b"%d" % number)
            after: Any = (await lab.statistics("sn1.isp-a"))["missed"]
        return int(after) - int(before), len(await taken(heard))

    assert run(BUNDLED, script) == (0, 12)


@pytest.mark.slow
def test_a_node_that_dies_in_mid_chain_costs_what_was_under_way_and_no_more() -> None:
    async def script(lab: Simulation) -> tuple[int, int, int]:
        alice, heard = await prepared(lab, METERED)
        await lab.kill("sn1.isp-b")
        with alice.host.call(METERED, metadata=alice.to) as channel:
            _ = channel.send(b"lost: it was under way")
        await lab.sleep(1.0)
        await lab.start("sn1.isp-b")
        while not await taken(heard):
            with alice.host.call(METERED, metadata=alice.to) as channel:
                _ = channel.send(b"whether bob has found his node again")
        bundled = await crossing(lab, alice, METERED)
        arrived = len(await taken(heard))
        return arrived, bundled, await crossing(lab, alice, DELIVERY)

    arrived, bundled, plain = run(BUNDLED, script)

    assert arrived == READINGS
    # What compression keeps is durable: nobody has offered the dictionary anew.
    assert bundled < 0.75 * plain


@pytest.mark.slow
def test_the_guard_of_a_receiver_comes_after_the_bundle_and_is_its_own_wish() -> None:
    async def script(lab: Simulation) -> list[tuple[str, str]]:
        alice, _ = await prepared(lab, METERED)
        with alice.host.call(METERED, metadata=alice.to) as channel:
            _ = channel.send(b"traced", is_traced=True)
            await lab.sleep(0.5)
            account = await alice.host.explain(METERED, channel.connection)
        return [(part.module, part.asked_by) for part in account.statements[-1].parts]

    parts = run({**BUNDLED, "bob": 'guards = ["census"]'}, script)

    assert parts[-2:] == [("delivery@0.1.0", "bundle"), ("census@0.1.0", "receiver")]


def test_a_bundle_that_comes_and_goes_while_its_packets_do_leaves_no_decision_behind() -> None:
    async def script(lab: Simulation) -> tuple[list[list[bytes]], dict[str, int]]:
        alice = Tenant(lab, "alice", "bob", site="north")
        heard = lab.host("bob").listen(METERED, limit_items=1_024)
        arrived: list[list[bytes]] = []

        async def send() -> None:
            for _ in range(3):  # the second and third would be decided by the first
                _ = channel.send(b"%d" % len(arrived))
                await lab.sleep(0.1)
            arrived.append(await taken(heard))

        with alice.host.call(METERED, metadata=alice.to) as channel:
            await send()
            for each in lab.running:
                services = each.node.services
                (rows,) = prepare_bundles(["metered"], [FOLDER], list(services), chains={})
                services.set_bundle(rows)
            await send()
            for each in lab.running:
                each.node.services.remove_bundle(METERED)
            await send()
        return arrived, dict((await lab.node_status("sn1.isp-a")).dropped)

    arrived, dropped = run({"first": "", "second": "", "bob": ""}, script)

    assert arrived == [[], [b"1"] * 3, []]
    assert dropped["unknown_service"] == 6
