"""A simulation in several processes is the one in a single process, to the bit."""

import asyncio
import os
import signal
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path
from random import Random

import msgspec
import pytest

from ei.errors import ConfigError, DeadlineError, LocalError
from ei.lab.accounts import Books
from ei.lab.builder import TopologyBuilder, regular
from ei.lab.clock import VirtualClock
from ei.lab.eventlog import whole_digest
from ei.lab.load import attach_fully
from ei.lab.shares import Share, deal, lookahead_ns, run_shares
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment, LinkKind, Topology

BAD = Impairment(delay_ms=5, jitter_ms=9, loss=0.05, duplicate=0.05, corrupt=0.05)


def small(*, domains: int, between: Impairment = BAD) -> Topology:
    builder = TopologyBuilder(f"{domains} domains")
    builder.link_default(LinkKind.HOST, Impairment(delay_ms=1, jitter_ms=1))
    builder.link_default(LinkKind.DOMAIN, between)
    for number in range(domains):
        builder.domain(f"d{number}")
        builder.node(f"n.d{number}")
    for number in range(domains):
        # Every host is attached to a node of another domain as well.
        abroad = f"n.d{(number + 1) % domains}"
        for own in ("a", "b"):
            builder.host(f"{own}.d{number}", nodes=[f"n.d{number}", abroad])
    builder.link("a.d0", "n.d1", Impairment(delay_ms=3))
    return builder.build()


def apart() -> Topology:
    builder = TopologyBuilder("two domains, 50 ms apart")
    builder.link_default(LinkKind.DOMAIN, Impairment(delay_ms=50))
    for number in range(2):
        builder.domain(f"d{number}")
        builder.node(f"n.d{number}")
    return builder.build()


class Task(msgspec.Struct, frozen=True):
    """Of a share."""

    domains: int
    seed: int


class Found(msgspec.Struct, frozen=True):
    """What a share found."""

    digests: dict[str, bytes]
    events: int
    answered: int
    imbalance: int


async def chatter(clock: VirtualClock, share: Share, task: Task) -> Found:
    topology = small(domains=task.domains)
    simulation = Simulation(clock, topology, seed=task.seed, leave_to=share.leave_to)
    share.join(clock, simulation.network.take)
    share.say("begun")
    simulation.start_nodes()
    simulation.make_hosts()
    answered = 0

    async def talk(name: str) -> None:
        nonlocal answered
        random = Random(f"{task.seed} {name}")
        await attach_fully(simulation.hosts[name], deadline_s=5.0)
        while True:
            await asyncio.sleep(random.uniform(0.0, 0.2))
            to = simulation.population.residents[random.choice(list(topology.hosts))]
            with suppress(DeadlineError):
                _ = await simulation.hosts[name].ping(to.address, deadline_s=0.5)
                answered += 1

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(talk(name)) for name in simulation.hosts]
        await asyncio.sleep(3.0)
        found = Found(
            simulation.digests(),
            clock.events,
            answered,
            sum(
                msgspec.convert(node.datapath.statistics(), Books, strict=False).imbalance
                for node in simulation.running
            ),
        )
        for each in tasks:
            _ = each.cancel()
    simulation.close()
    return found


async def fail(_clock: VirtualClock, share: Share, _task: Task) -> None:
    if share.number == 1:
        raise LocalError("enough of it")
    await asyncio.sleep(0.001)


async def wait_for_ever(clock: VirtualClock, share: Share, _task: Task) -> None:
    share.join(clock, lambda _at_ns, _number, _datagram: None)
    await asyncio.get_running_loop().create_future()


async def talk_on(clock: VirtualClock, share: Share, _task: Task) -> None:
    share.join(clock, lambda _at_ns, _number, _datagram: None)
    for ms in range(1_000):
        share.say(f"{ms}")
        await asyncio.sleep(0.001)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def whole(found: list[Found]) -> tuple[str, int, int]:
    digests = {name: digest for part in found for name, digest in part.digests.items()}
    return (
        whole_digest(digests),
        sum(part.events for part in found),
        sum(part.answered for part in found),
    )


def test_whole_domains_are_dealt_evenly() -> None:
    owners = deal(regular(nodes=40, hosts=400), 2)

    assert sorted(owners.values()) == [0, 0, 1, 1]


@pytest.mark.parametrize("processes", [0, 5])
def test_there_are_no_more_processes_than_domains(processes: int) -> None:
    with pytest.raises(ConfigError, match=f"{processes} processes for 4 domains"):
        _ = deal(regular(nodes=40, hosts=0), processes)


def test_shares_are_as_far_apart_as_the_shortest_link_between_them() -> None:
    topology = small(domains=2)

    # From a host to its node abroad.
    assert lookahead_ns(topology, {"d0": 0, "d1": 1}) == 1_000_000
    assert lookahead_ns(regular(nodes=20, hosts=20), {"d0": 0, "d1": 1}) == 10_000_000


@pytest.mark.parametrize("between", [Impairment(), Impairment(delay_ms=5, reorder=0.1)])
def test_domains_without_a_delay_between_them_stay_in_one_process(between: Impairment) -> None:
    with pytest.raises(ConfigError, match="no delay"):
        _ = lookahead_ns(small(domains=2, between=between), {"d0": 0, "d1": 1})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_one_process_and_several_have_the_same_digest(seed: int) -> None:
    runs = [
        run_shares(chatter, Task(3, seed), small(domains=3), processes=processes)
        for processes in (1, 2, 3, 2)
    ]

    assert len({whole(found) for found in runs}) == 1
    assert all(part.imbalance == 0 for found in runs for part in found)
    assert whole(runs[0])[2] > 20


@pytest.mark.slow
def test_another_seed_has_another_digest_and_the_first_share_tells_how_far_it_is() -> None:
    said: list[str] = []

    one, other = (
        run_shares(chatter, Task(2, seed), small(domains=2), processes=2, on_said=said.append)
        for seed in (1, 2)
    )

    assert whole(one)[0] != whole(other)[0]
    assert said == ["begun", "begun"]


@pytest.mark.slow
def test_a_process_that_fails_ends_all_of_them() -> None:
    with pytest.raises(LocalError, match="process 2 of the simulation failed: enough of it"):
        _ = run_shares(fail, Task(2, 1), small(domains=2), processes=2)


@pytest.mark.slow
def test_processes_that_wait_for_one_another_for_ever_are_ended() -> None:
    with pytest.raises(LocalError, match="nothing can happen any more"):
        _ = run_shares(wait_for_ever, Task(2, 1), small(domains=2), processes=2)


@pytest.mark.slow
@pytest.mark.parametrize("kill_ms", [120, 170])
def test_a_process_that_is_killed_ends_all_of_them(kill_ms: int) -> None:
    """Killed while it waits: before it is told to go on, every 50 ms, or with that unread."""
    pids: list[int | None] = []

    def on_said(said: str) -> None:
        if not pids:
            children = sorted(active_children(), key=lambda child: int(child.name.split("-")[1]))
            pids.extend(child.pid for child in children)
        pid = pids[1]
        assert pid
        if said == "120":
            while state_of(pid) != "S":  # it waits for the others
                pass
            os.kill(pid, signal.SIGSTOP)
        if said == f"{kill_ms}":
            os.kill(pid, signal.SIGKILL)
            while state_of(pid) != "Z":
                pass

    with pytest.raises(LocalError, match="process 2 of the simulation failed: it ended without"):
        _ = run_shares(talk_on, Task(2, 1), apart(), processes=2, on_said=on_said)
