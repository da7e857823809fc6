"""Groups in scenarios: hosts that join and count, a host that sends."""

import asyncio
from collections.abc import Sequence

import msgspec

from ei.errors import DeadlineError
from ei.host.channels import ControlChannel, ServiceChannel
from ei.host.client import Host
from ei.host.numbered import Collected, Collector, encode_numbered
from ei.lab.lab import Lab
from ei.services.multicast.messages import Join, Leave

MULTICAST = 48
INBOX_ITEMS = 65_536


class Member:
    """A host that joined a group and counts what it hears."""

    def __init__(self, host: Host, group: str) -> None:
        self.host = host
        self._group = bytes(host.find(group))
        self._heard = host.listen(MULTICAST, metadata=self._group, limit_items=INBOX_ITEMS)
        self._controls: ControlChannel = host.controls(MULTICAST)
        self._controls.send(msgspec.msgpack.encode(Join(group=self._group)))

    def leave(self) -> None:
        """Leave the group, listening on."""
        self._controls.send(msgspec.msgpack.encode(Leave(group=self._group)))

    async def take(self, *, wait_s: float) -> Collected:
        """Return what was heard since the last call, until nothing came for `wait_s`."""
        collector = Collector()
        try:
            while True:
                packet = await self._heard.receive(deadline_s=wait_s)
                collector.take(packet.payload, 0)
        except DeadlineError:
            return collector.statistics()

    def close(self) -> None:
        """Stop to listen."""
        self._heard.close()
        self._controls.close()


def sender(host: Host, group: str) -> ServiceChannel:
    """Return a channel on which `host` sends to a group."""
    return host.call(MULTICAST, metadata=bytes(host.find(group)))


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
