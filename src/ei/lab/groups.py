"""Groups in scenarios: hosts that join and count, a host that sends."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Self

from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.host.numbered import Collected, Collector, encode_numbered
from ei.lab.lab import Lab
from ei.lab.load import until
from ei.services.multicast.client import MULTICAST, join

INBOX_ITEMS = 65_536


class Member:
    """A host that belongs to a group, counts what it hears, and hears on after it left."""

    def __init__(self, host: Host, heard: ServiceChannel) -> None:
        self.host = host
        self._heard = heard
        self._membership = AsyncExitStack()

    @classmethod
    async def join(cls, host: Host, group: str) -> Self:
        """Have `host` join `group`."""
        heard = host.listen(MULTICAST, metadata=bytes(host.find(group)), limit_items=INBOX_ITEMS)
        member = cls(host, heard)
        _ = await member._membership.enter_async_context(join(host, group))
        return member

    async def leave(self) -> None:
        """Leave the group. Idempotent."""
        await self._membership.aclose()

    async def take(self, *, wait_s: float) -> Collected:
        """Return what was heard since the last call, until nothing came for `wait_s`."""
        collector = Collector()
        try:
            while True:
                packet = await self._heard.receive(deadline_s=wait_s)
                collector.take(packet.payload, 0)
        except DeadlineError:
            return collector.statistics()

    async def close(self) -> None:
        """Leave, and stop to listen."""
        await self.leave()
        self._heard.close()


def sender(host: Host, group: str) -> ServiceChannel:
    """Return a channel on which `host` sends to a group, of which it need not be a member."""
    return host.call(MULTICAST, metadata=bytes(host.find(group)))


async def until_heard(
    lab: Lab, channel: ServiceChannel, members: Sequence[Member], *, limit_s: float
) -> float | None:
    """Send until every member hears; return after how long, see `until`."""

    async def is_heard() -> bool:
        _ = channel.send(encode_numbered(0, 0, 64))
        return all(each.packets for each in await take_all(members, wait_s=0.2))

    return await until(lab, is_heard, limit_s=limit_s)


async def send_stream(lab: Lab, channel: ServiceChannel, *, count: int, rate_pps: float) -> int:
    """Send `count` numbered packets at a steady rate; return how many the pipe took."""
    taken = 0
    for number in range(count):
        taken += channel.send(encode_numbered(number, 0, 64))
        await lab.sleep(1 / rate_pps)
    return taken


async def take_all(members: Sequence[Member], *, wait_s: float) -> list[Collected]:
    """Return what each member heard; see `Member.take`."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(member.take(wait_s=wait_s)) for member in members]
    return [task.result() for task in tasks]
