"""`receipts`: what it costs to know what became of a message, beside sending it unseen."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from ei.bench.figures import Figure, figure
from ei.errors import LocalError
from ei.host.channels import DatagramChannel
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.lab.topology_file import parse_topology

TOPOLOGY = """
version = 1
services = ["delivery"]
[domains.left.nodes.n1]
[domains.left.hosts.alice]
nodes = ["n1"]
[domains.right.nodes.n1]
[domains.right.hosts.bob]
nodes = ["n1"]
[link_defaults.host]
delay_ms = 1
[link_defaults.domain]
delay_ms = 5
"""
MESSAGES = 1_000
APART_S = 0.01
"""As far apart as nodes answer questions about them, and more."""
DEADLINE_S = 2.0
PORT = 7
NOTE = "CPU of two hosts and two nodes, simulated"

Send = Callable[[DatagramChannel], Awaitable[str]]


def receipts(*, runs: int) -> Iterator[Figure]:
    """Measure messages 10 ms apart: unseen, delivered, and dropped by the far node."""
    unseen = [cpu_us(_unseen, "taken") for _ in range(runs)]
    delivered = [cpu_us(_seen, "delivered") for _ in range(runs)]
    dropped = [cpu_us(_seen, "dropped", is_cut=True) for _ in range(runs)]
    yield figure(
        "a message with its receipt", delivered, unit="µs", baseline=unseen,
        note=f"{NOTE}; a miss at each node; baseline: without a receipt",
    )  # fmt: skip
    yield figure(
        "a message that the second node drops", dropped, unit="µs", baseline=unseen,
        note=f"{NOTE}; and two signed statements, verified; baseline: as above",
    )  # fmt: skip


def cpu_us(send: Send, outcome: str, *, is_cut: bool = False) -> float:
    """Return the CPU time of a message, microseconds, of 1,000 that end as `outcome`.

    Args:
        is_cut: Bob is gone, which his node knows.
    """
    spent_s: list[float] = []

    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        _ = await alice.ping(bob.name)
        with alice.datagrams() as mine, bob.datagrams(PORT, limit_items=MESSAGES + 1):
            if is_cut:
                await lab.cut("bob", "n1.right")
                await lab.sleep(1)
                while await _seen(mine) != "dropped":
                    pass
            began_s = time.process_time()
            outcomes = await _send_all(lab, lambda: send(mine))
            spent_s.append(time.process_time() - began_s)
        if outcomes != {outcome: MESSAGES}:
            raise LocalError(
                f"of {MESSAGES:,} messages to be {outcome} there were {dict(outcomes)}"
            )

    run_simulated(parse_topology(TOPOLOGY, name="receipts"), script)
    return spent_s[0] / MESSAGES * 1e6


async def _send_all(lab: Simulation, send: Callable[[], Awaitable[str]]) -> Counter[str]:
    async def later(number: int) -> str:
        await lab.sleep(number * APART_S)
        return await send()

    return Counter(await asyncio.gather(*(later(number) for number in range(MESSAGES))))


async def _unseen(channel: DatagramChannel) -> str:
    return "taken" if channel.try_send("bob.right", b"x", port=PORT) else "refused"


async def _seen(channel: DatagramChannel) -> str:
    receipt = await channel.send("bob.right", b"x", port=PORT, deadline_s=DEADLINE_S)
    return receipt.outcome
