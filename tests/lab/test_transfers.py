"""Transfers over bad links (A12 to A15): what QUIC's interoperability tests do to it, done to us.

The profile is theirs: 15 ms each way at 10 Mbit/s, 10 MB unless said. The link is a host's own.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ei.errors import DeadlineError, EiError
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.fixture import run_simulated
from ei.lab.load import carry, until
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment, Topology, ends
from ei.lab.topology_file import parse_topology

pytestmark = pytest.mark.slow

LINK = ("alice.isp-a", "sn1.isp-a")
GOOD = Impairment(delay_ms=15, rate_mbps=10)
MB = 1_000_000
CONTENT = hashlib.shake_256(b"transfers").digest(10 * MB)
HANDSHAKES = 50

Trouble = Callable[[Simulation], Coroutine[Any, Any, None]]


def topology() -> Topology:
    """Return two domains, with a host each."""
    return parse_topology(
        """
        version = 1
        services = ["delivery"]
        [domains.isp-a.nodes.sn1]
        [domains.isp-a.hosts.alice]
        nodes = ["sn1"]
        [domains.isp-b.nodes.sn1]
        [domains.isp-b.hosts.bob]
        nodes = ["sn1"]
        """,
        name="transfers",
    )


def transfer(
    impairment: Impairment, *, size: int = 10 * MB, limit_s: float, trouble: Trouble | None = None
) -> None:
    """Carry bytes from alice to bob over a link that got bad once she was attached."""

    async def script(lab: Simulation) -> None:
        await lab.impair(*LINK, impairment)
        making = None if trouble is None else asyncio.create_task(trouble(lab))
        try:
            arrived = await carry(
                lab.host("alice"), lab.host("bob"), CONTENT[:size], deadline_s=limit_s
            )
        finally:
            if making is not None:
                _ = making.cancel()
        assert arrived == CONTENT[:size]

    run_simulated(topology(), script)


@pytest.mark.parametrize("what", ["port", "address"])
def test_a12_a_transfer_survives_a_nat_that_forgets_it_every_5_s(what: str) -> None:
    async def rebind(lab: Simulation) -> None:
        await lab.sleep(1)
        for number in range(1, 200):
            endpoint = f"10.9.0.1:{4_000 + number}" if what == "port" else f"10.9.{number}.1:3535"
            lab.network.rebind(LINK[0], endpoint)
            await lab.sleep(5)

    transfer(GOOD, limit_s=30, trouble=rebind)


def test_a12_a_host_whose_address_has_changed_while_it_was_idle_is_reached_again() -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        _ = await bob.ping(alice.address)
        lab.network.rebind(LINK[0], "10.9.0.1:4000")
        with pytest.raises(DeadlineError):
            _ = await bob.ping(alice.address, deadline_s=0.5)

        # The next keepalive says where she is; she herself need not know.
        await lab.sleep(16)

        assert await bob.ping(alice.address) < 0.1

    run_simulated(topology(), script)


def open_over(impairment: Impairment) -> None:
    """Attach, open a stream and carry 10 KB, from many seeds: the link is bad from the start."""
    bad = replace(topology(), links={ends(*LINK): impairment})

    async def program(clock: VirtualClock, seed: int) -> None:
        lab = Simulation(clock, bad, seed=seed)
        lab.start_nodes()
        try:
            await lab.open_hosts(deadline_s=90)

            async def has_talked() -> bool:
                # Who waits for an answer gives up after some seconds, and tries again.
                arrived = b""
                try:
                    _ = await lab.host("alice").lookup("bob.isp-b")
                    arrived = await carry(lab.host("alice"), lab.host("bob"), CONTENT[:10_000])
                except* EiError:
                    pass
                return arrived == CONTENT[:10_000]

            assert await until(lab, has_talked, limit_s=90) is not None, seed
        finally:
            lab.close()

    for seed in range(HANDSHAKES):
        run_virtual(partial(program, seed=seed))


def test_a13_fifty_of_fifty_hosts_attach_and_talk_over_a_link_that_loses_30_percent() -> None:
    open_over(Impairment(delay_ms=15, rate_mbps=10, loss=0.3))


def test_a14_fifty_of_fifty_hosts_attach_and_talk_over_a_link_that_corrupts_30_percent() -> None:
    open_over(Impairment(delay_ms=15, rate_mbps=10, corrupt=0.3))


def test_a14_2_mb_are_carried_over_a_link_that_corrupts_2_percent() -> None:
    transfer(Impairment(delay_ms=15, rate_mbps=10, corrupt=0.02), size=2 * MB, limit_s=60)


def test_a15_10_mb_are_carried_over_750_ms_of_delay() -> None:
    transfer(Impairment(delay_ms=750, rate_mbps=10), limit_s=120)


def test_a15_10_mb_are_carried_over_a_link_that_is_dead_2_s_of_7() -> None:
    async def blackhole(lab: Simulation) -> None:
        while True:
            await lab.sleep(5)
            await lab.cut(*LINK)
            await lab.sleep(2)
            await lab.impair(*LINK, GOOD)

    transfer(GOOD, limit_s=90, trouble=blackhole)


def test_a15_10_mb_are_carried_when_packets_2_to_7_are_lost() -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        await lab.impair(*LINK, GOOD)
        with bob.accept_streams(9) as listener:
            opening = asyncio.create_task(alice.open_stream(bob.address, 9))
            # The first is under way; what follows is lost, until she asks again.
            await lab.sleep(0.001)
            before = lab.network.lost
            await lab.cut(*LINK)
            while lab.network.lost < before + 6:
                await lab.sleep(0.001)
            await lab.impair(*LINK, GOOD)
            stream = await opening
            writing = asyncio.create_task(stream.write(CONTENT, deadline_s=60))
            reading = await listener.accept()
            assert await reading.read_exactly(len(CONTENT), deadline_s=60) == CONTENT
            await writing

    run_simulated(topology(), script)
