"""Multicast on a host: to belong to a group, to hear what is sent to it, and to send.

async with join(host, "news.isp-a") as news:
    _ = news.send(b"hello")
    print((await news.receive()).payload)
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import msgspec

from ei.errors import DeadlineError, LimitError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.sdk import Address
from ei.services.multicast.messages import Join, Leave

MULTICAST = 48
REPEAT_S = 20.0
"""A third of the time that a membership counts: one repetition may be lost."""


@asynccontextmanager
async def join(
    host: Host, group: str | Address, *, repeat_s: float = REPEAT_S
) -> AsyncGenerator[ServiceChannel]:
    """Belong to a group as long as the context lasts, also when the host moves to another node.

    Args:
        host: Attached.
        group: Name or address.
        repeat_s: How often the node is told again.

    Yields:
        A channel: what is sent on it goes to the members, what they send is received.

    Raises:
        NotFoundError: No record of the group.
    """
    address = bytes(await host.lookup(group))
    with host.listen(MULTICAST, metadata=address) as channel:
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(_stay(host, address, repeat_s), name=f"member of {group!r}")
            try:
                yield channel
            finally:
                _ = keeper.cancel()
                _tell(host, Leave(address))


async def _stay(host: Host, group: bytes, repeat_s: float) -> None:
    """Tell the node in use, again and again, and the next one as soon as the host moves there."""
    while True:
        _tell(host, Join(group))
        with suppress(DeadlineError):
            await host.moved(deadline_s=repeat_s)


def _tell(host: Host, message: Join | Leave) -> None:
    # Without a node nobody can be told now; the next one is told when its pipe comes up.
    with suppress(LimitError):
        host.send_control(MULTICAST, msgspec.msgpack.encode(message))
