"""Hosts that move: attached in two domains, idle when a node dies, slow when they started."""

from dataclasses import replace

import pytest

from ei.errors import DeadlineError
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.fixture import run_simulated
from ei.lab.load import ping_pairs, until
from ei.lab.scenario import load_scenario
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment, ends
from ei.lab.topology_file import parse_topology
from ei.scenarios.failover.load import load
from ei.scenarios.failover.scenario import until_whole

TOPOLOGY = parse_topology(
    """
version = 1
services = ["delivery"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1", "sn1.isp-b"]
[domains.isp-b.nodes.sn1]
[domains.isp-c.nodes.sn1]
[domains.isp-c.hosts.carol]
nodes = ["sn1"]
[link_defaults.host]
delay_ms = 1
[link_defaults.domain]
delay_ms = 10
""",
    name="moving",
)
HOME, ABROAD = "sn1.isp-a", "sn1.isp-b"


def using(lab: Simulation, name: str) -> str:
    return next(each.node for each in lab.host(name).status().attachments if each.is_used)


async def meet(lab: Simulation) -> None:
    """Return once carol and alice have talked, and all pipes are up."""

    async def is_met() -> bool:
        (ping,) = await ping_pairs(lab, [("carol", "alice")])
        return ping.round_trip_s is not None

    assert await until(lab, is_met, limit_s=5) is not None


def test_a_host_is_attached_in_two_domains_and_measures_both() -> None:
    async def script(lab: Simulation) -> None:
        await meet(lab)

        at = {each.node: each for each in lab.host("alice").status().attachments}

        assert at.keys() == {HOME, ABROAD}
        assert all(each.is_up and 0.001 < (each.rtt_s or 0) < 0.01 for each in at.values())
        assert using(lab, "alice") == HOME

    run_simulated(TOPOLOGY, script)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
def test_when_its_node_at_home_dies_the_one_abroad_carries_on(seed: int) -> None:
    async def script(lab: Simulation) -> None:
        await meet(lab)

        seen = await load(lab, lab.host("carol"), lab.host("alice"), fault=lambda: lab.kill(HOME))

        assert using(lab, "alice") == ABROAD
        assert seen.is_loaded
        assert max(seen.flow_gap_ms, seen.stream_gap_ms) <= 400
        assert seen.received_digest == seen.sent_digest
        assert seen.lost == 0

    run_simulated(TOPOLOGY, script, seed=seed)


def test_an_idle_host_answers_the_first_message_after_its_node_died() -> None:
    async def script(lab: Simulation) -> None:
        await meet(lab)
        await lab.sleep(2)
        await lab.kill(HOME)
        await lab.sleep(1)
        assert using(lab, "alice") == HOME  # nothing told her

        with lab.host("alice").datagrams(7), lab.host("carol").datagrams() as outbox:
            receipt = await outbox.send(
                lab.host("alice").address, b"anybody?", port=7, deadline_s=0.2
            )

        assert receipt.outcome == "delivered"
        assert using(lab, "alice") == ABROAD

    run_simulated(TOPOLOGY, script)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "cut"])
def test_a_host_that_took_long_to_attach_does_not_take_long_to_move(fault: str) -> None:
    slow = {ends("alice.isp-a", node): Impairment(delay_ms=200) for node in (HOME, ABROAD)}
    usual = {link: Impairment(delay_ms=1) for link in slow}

    async def program(clock: VirtualClock) -> None:
        lab = Simulation(clock, replace(TOPOLOGY, links=slow), seed=1)
        await lab.open()
        for link, impairment in usual.items():
            await lab.impair(*link, impairment)
        await meet(lab)

        async def strike() -> None:
            await (lab.kill(HOME) if fault == "kill" else lab.cut("alice", HOME))

        seen = await load(lab, lab.host("carol"), lab.host("alice"), fault=strike)

        assert max(seen.flow_gap_ms, seen.stream_gap_ms) <= 400
        lab.close()

    run_virtual(program)


def test_within_a_second_of_a_move_others_come_the_straight_way() -> None:
    async def script(lab: Simulation) -> None:
        await meet(lab)
        carol, alice = lab.host("carol"), lab.host("alice")
        assert await carol.ping(alice.address) < 0.026
        await lab.cut("alice", HOME)

        # Her node at home lives, and hands on to the other what it still gets.
        with pytest.raises(DeadlineError):
            _ = await carol.ping(alice.address, deadline_s=0.2)
        await lab.sleep(1)

        assert using(lab, "alice") == ABROAD
        _ = await carol.ping(alice.address)  # which is decided anew
        assert await carol.ping(alice.address) < 0.026

    run_simulated(TOPOLOGY, script)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    ["own node frozen", "own node killed", "own link cut", "both frozen", "both cut", "middle cut"],
)
def test_whatever_ends_on_the_way_the_gap_is_short(what: str) -> None:
    async def script(lab: Simulation) -> None:
        await until_whole(lab)
        alice, bob = lab.host("alice"), lab.host("bob")
        near, far = (host.status().attachments[0].node for host in (alice, bob))

        async def strike() -> None:
            match what:
                case "own node killed":
                    await lab.kill(near)
                case "middle cut":
                    await lab.cut(near, far)
                case "own link cut" | "both cut":
                    await lab.cut("alice", near)
                case _:
                    await lab.freeze(near)
            if what == "both cut":
                await lab.cut("bob", far)
            elif what == "both frozen":
                await lab.freeze(far)

        seen = await load(lab, alice, bob, fault=strike)

        assert seen.is_loaded
        assert max(seen.flow_gap_ms, seen.stream_gap_ms) <= 400
        assert seen.received_digest == seen.sent_digest
        assert seen.lost == 0

    run_simulated(load_scenario("failover").topology, script)
