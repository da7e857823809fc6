"""The flows of the scenario: one at each node, from a host attached there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ei.errors import LocalError
from ei.host.channels import ServiceChannel
from ei.lab.process_lab import ProcessLab
from ei.sdk.packets import Address

GREETER = 4026531860
TICKS_PER_S = 20
AT_ONCE = 2
NUMBER_BYTES = 8
LIMIT_ITEMS = 4_096
LAST_S = 1.0


@dataclass(slots=True)
class Flow:
    """Packets to one node.

    Attributes:
        versions: Those of the module that have answered.
    """

    sent: int = 0
    answered: int = 0
    versions: set[int] = field(default_factory=set[int])


@asynccontextmanager
async def flowing(lab: ProcessLab) -> AsyncGenerator[dict[str, Flow]]:
    """Send to every node for as long as the context lasts; yield the flows by node."""
    flows: dict[str, Flow] = {}
    ends: list[tuple[ServiceChannel, Address, Flow]] = []
    for host in lab.hosts.values():
        for node in lab.topology.hosts[host.name].nodes:
            flows[node] = Flow()
            channel = host.call(GREETER, limit_items=LIMIT_ITEMS)
            ends.append((channel, host.find(node), flows[node]))
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for channel, _, flow in ends:
            _ = group.create_task(_take(channel, flow))
        sending = group.create_task(_send(lab, ends, is_over))
        try:
            yield flows
        finally:
            is_over.set()
            await sending
            await lab.sleep(LAST_S)
            for channel, _, _ in ends:
                channel.close()


async def _send(
    lab: ProcessLab, ends: list[tuple[ServiceChannel, Address, Flow]], is_over: asyncio.Event
) -> None:
    number = 0
    while not is_over.is_set():
        payloads = [(number + each).to_bytes(NUMBER_BYTES) for each in range(AT_ONCE)]
        number += AT_ONCE
        for channel, node, flow in ends:
            flow.sent += channel.send(*payloads, node=node)
        await lab.sleep(1 / TICKS_PER_S)


async def _take(channel: ServiceChannel, flow: Flow) -> None:
    while True:
        try:
            packet = await channel.receive(deadline_s=60.0)
        except LocalError:
            return  # closed: it is over
        flow.answered += 1
        flow.versions.add(packet.payload[0])
