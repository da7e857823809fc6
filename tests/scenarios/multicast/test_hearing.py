"""What a receiver of the scenario makes of what it hears."""

import asyncio
import hashlib

import pytest

from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.scenarios.multicast.hearing import InOrder, Listener, wait_for
from ei.sdk import Address
from ei.services.multicast.client import Message, send


def test_what_comes_early_waits_for_its_turn() -> None:
    stream = InOrder()

    for number in (2, 0, 1, 4):
        stream.take(Message(Address(bytes(16)), 1, number, bytes([number])))

    assert stream.next == 3
    assert stream.digest == hashlib.sha256(bytes([0, 1, 2])).hexdigest()


@pytest.mark.slow
def test_a_listener_hears_the_sender_and_says_how_long_it_was_silent() -> None:
    async def script(lab: Simulation) -> tuple[int, float, int]:
        alice = lab.host("alice")
        listener = Listener(lab, lab.host("a1"), alice.address)
        await listener.join("news.isp-a")
        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(listener.hear())
            async with send(alice, "news.isp-a") as sender:
                await lab.sleep(1.0)
                for pause_s in (0.1, 0.5, 0.1):
                    _ = sender.send(b"word")
                    await lab.sleep(pause_s)
                await wait_for(lab, [listener], sender.connection, 3)
                _ = hearing.cancel()
                heard = listener.streams[sender.connection].next
        await listener.leave()
        return heard, round(listener.longest_silence_s, 2), listener.lost + listener.strangers

    heard, silence_s, wrong = run_simulated(find_topology("multicast"), script)

    assert heard >= 3
    assert silence_s == 0.5
    assert wrong == 0
