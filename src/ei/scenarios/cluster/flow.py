"""A steady flow of messages between two hosts, over decisions that are made already."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from ei.errors import LocalError
from ei.host.channels import DatagramChannel
from ei.lab.lab import Lab

PORT = 7
WARM_S = 0.5
LAST_S = 1.0
"""So long what is on its way may take."""


@dataclass(slots=True)
class Flow:
    """What was sent and what came, the first half a second not counted."""

    rate_pps: ClassVar[int] = 100
    sent: int = 0
    received: int = 0
    is_counted: bool = False
    is_over: bool = False

    @property
    def lost(self) -> int:
        """Messages that did not come."""
        return self.sent - self.received


@asynccontextmanager
async def flowing(lab: Lab, source: str, to: str) -> AsyncGenerator[Flow]:
    """Let messages flow from one host to another while the context lasts."""
    flow = Flow()
    sender, receiver = lab.host(source), lab.host(to)
    with sender.datagrams() as outbox, receiver.datagrams(PORT) as inbox:
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(_take(inbox, flow))
            sending = group.create_task(_send(lab, outbox, to, flow))
            await lab.sleep(WARM_S)
            flow.is_counted = True
            yield flow
            flow.is_over = True
            await sending
            await lab.sleep(LAST_S)
            inbox.close()
            await taking


async def _send(lab: Lab, outbox: DatagramChannel, to: str, flow: Flow) -> None:
    name = lab.host(to).name
    began_s, count = lab.now_s(), 0
    while not flow.is_over:
        while count < (lab.now_s() - began_s) * Flow.rate_pps:
            count += 1
            flow.sent += flow.is_counted
            _ = outbox.try_send(name, bytes([flow.is_counted]), port=PORT)
        await lab.sleep(1 / Flow.rate_pps)


async def _take(inbox: DatagramChannel, flow: Flow) -> None:
    try:
        while True:
            datagram = await inbox.receive(deadline_s=3_600.0)
            flow.received += datagram.data[0]
    except LocalError:
        return  # closed: it is over
