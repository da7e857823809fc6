"""What belonging to a group, receiving from it and sending to it promise on a host."""

import asyncio
from contextlib import suppress

import pytest

from ei.errors import ConflictError, DeadlineError, LocalError
from ei.host.channels import ServiceChannel
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment, Topology
from ei.lab.topology_file import parse_topology
from ei.services.multicast.client import Receiver, join, receive, send

TOPOLOGY: Topology = parse_topology(
    """
    version = 1
    services = ["delivery", "multicast"]
    [domains.isp-a.nodes.sn1]
    [domains.isp-a.nodes.sn2]
    [domains.isp-a.hosts.alice]
    nodes = ["sn1", "sn2"]
    [domains.isp-b.nodes.sn1]
    [domains.isp-b.hosts.bob]
    nodes = ["sn1"]
    [domains.isp-b.hosts.bea]
    nodes = ["sn1"]
    [domains.isp-a.groups.news]
    nodes = ["sn2", "sn1"]
    [domains.isp-a.groups.hers]
    nodes = ["sn1"]
    senders = ["alice"]
    members = ["bob.isp-b"]
    [link_defaults.host]
    delay_ms = 1
    [link_defaults.domain]
    delay_ms = 10
    """,
    name="groups",
)
LOSSY = Impairment(delay_ms=2, loss=0.05)


async def hears(member: ServiceChannel, speaker: ServiceChannel, *, within: int) -> bool:
    """Say something every 100 ms until the member hears it."""
    for _ in range(within):
        _ = speaker.send(b"hello")
        with suppress(DeadlineError):
            return (await member.receive(deadline_s=0.1)).payload == b"hello"
    return False


@pytest.mark.slow
def test_a_host_belongs_to_a_group_for_as_long_as_it_wants() -> None:
    async def script(lab: Simulation) -> list[bool]:
        async with join(lab.host("bob"), "news.isp-a") as bob:
            async with join(lab.host("alice"), "news.isp-a") as alice:
                heard = [
                    await hears(alice, bob, within=20),
                    await hears(bob, alice, within=1),
                ]
            await lab.sleep(0.5)
            with lab.host("alice").listen(48) as left:
                heard.append(await hears(left, bob, within=5))
        return heard

    assert run_simulated(TOPOLOGY, script) == [True, True, False]


@pytest.mark.slow
def test_a_host_that_moves_to_another_node_still_belongs() -> None:
    async def script(lab: Simulation) -> bool:
        async with (
            join(lab.host("bob"), "news.isp-a") as bob,
            join(lab.host("alice"), "news.isp-a") as alice,
        ):
            assert await hears(alice, bob, within=20)
            await lab.kill("sn1.isp-a")
            # An idle host notices with its next keepalive.
            return await hears(alice, bob, within=400)

    assert run_simulated(TOPOLOGY, script)


@pytest.mark.slow
def test_a_host_without_a_node_belongs_once_it_has_one() -> None:
    async def script(lab: Simulation) -> bool:
        await lab.cut("bob.isp-b", "sn1.isp-b")
        await lab.sleep(10.0)
        async with join(lab.host("bob"), "news.isp-a", repeat_s=3_600.0) as bob:
            await lab.sleep(1.0)
            await lab.heal("bob.isp-b", "sn1.isp-b")
            with lab.host("alice").call(
                48, metadata=bytes(lab.host("bob").find("news.isp-a"))
            ) as alice:
                return await hears(bob, alice, within=400)

    assert run_simulated(TOPOLOGY, script)


async def lose(lab: Simulation) -> None:
    """Lose packets on every link."""
    for host in lab.topology.hosts.values():
        for node in host.nodes:
            await lab.impair(host.name, node, LOSSY)
    await lab.impair("sn1.isp-a", "sn1.isp-b", LOSSY)


async def take(receiver: Receiver, count: int) -> list[int]:
    """Return the numbers of so many messages, in order."""
    return sorted([(await receiver.receive(deadline_s=5.0)).number for _ in range(count)])


@pytest.mark.slow
def test_what_is_lost_on_the_way_is_sent_again() -> None:
    async def script(lab: Simulation) -> tuple[list[int], int]:
        await lose(lab)
        async with (
            receive(lab.host("bob"), "hers.isp-a", is_from_start=True) as bob,
            send(lab.host("alice"), "hers.isp-a") as alice,
        ):
            await lab.sleep(1.0)
            for _ in range(200):
                assert alice.send(b"hello")
                await lab.sleep(0.002)
            numbers = await take(bob, 200)
            assert alice.number == 200
            return numbers, sum(gaps.repaired for gaps in bob.streams.values())

    numbers, repaired = run_simulated(TOPOLOGY, script)

    assert numbers == list(range(200))
    assert repaired > 5


@pytest.mark.slow
def test_who_comes_late_may_ask_for_what_was_before() -> None:
    async def script(lab: Simulation) -> list[bytes]:
        async with send(lab.host("alice"), "hers.isp-a") as alice:
            for word in (b"one", b"two", b"three"):
                _ = alice.send(word)
            await lab.sleep(2.0)
            async with receive(lab.host("bob"), "hers.isp-a", is_from_start=True) as bob:
                return sorted([(await bob.receive(deadline_s=5.0)).data for _ in range(3)])

    assert run_simulated(TOPOLOGY, script) == [b"one", b"three", b"two"]


@pytest.mark.slow
def test_who_may_not_gets_nothing_and_is_not_heard() -> None:
    async def script(lab: Simulation) -> list[str]:
        outcomes: list[str] = []
        async with (
            receive(lab.host("bob"), "hers.isp-a") as bob,
            receive(lab.host("bea"), "hers.isp-a", is_from_start=True) as bea,
            send(lab.host("alice"), "hers.isp-a") as alice,
            send(lab.host("bea"), "hers.isp-a") as stranger,
        ):
            await lab.sleep(1.0)
            _ = alice.send(b"from alice"), stranger.send(b"from bea")
            heard = await bob.receive(deadline_s=2.0)
            outcomes.append(heard.data.decode())
            for each in (bob, bea):
                with suppress(DeadlineError):
                    outcomes.append((await each.receive(deadline_s=2.0)).data.decode())
        return outcomes

    assert run_simulated(TOPOLOGY, script) == ["from alice"]


@pytest.mark.slow
def test_a_receiver_moves_when_its_node_dies_though_it_sends_nothing() -> None:
    async def script(lab: Simulation) -> float:
        async with (
            receive(lab.host("alice"), "news.isp-a") as alice,
            send(lab.host("bob"), "news.isp-a") as bob,
        ):

            async def talk() -> None:
                while True:
                    _ = bob.send(b"hello")
                    await asyncio.sleep(0.01)

            async with asyncio.TaskGroup() as tasks:
                talking = tasks.create_task(talk())
                _ = await alice.receive(deadline_s=5.0)
                await lab.kill("sn1.isp-a")
                died_s = lab.now_s()
                with suppress(DeadlineError):
                    while True:
                        _ = await alice.receive(deadline_s=0.1)
                _ = await alice.receive(deadline_s=5.0)
                _ = talking.cancel()
            return lab.now_s() - died_s

    assert run_simulated(TOPOLOGY, script) < 1.0


@pytest.mark.slow
def test_a_message_has_a_length_and_a_host_one_sender() -> None:
    async def script(lab: Simulation) -> None:
        async with send(lab.host("alice"), "hers.isp-a") as alice:
            for data in (b"", bytes(1_201)):
                with pytest.raises(LocalError, match="allowed are 1 to 1200 B"):
                    _ = alice.send(data)
            with pytest.raises(ConflictError):
                async with send(lab.host("alice"), "news.isp-a"):
                    pass

    run_simulated(TOPOLOGY, script)
