"""Admin verb `invoke`: one packet to a service, what came back, and what nodes say of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import DeadlineError, LimitError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.host.events import PacketReceived
from ei.host.names import bytes_of, metadata_of
from ei.host.verdicts import Receipt

FATE_S = 0.5
"""How long the nodes are asked what became of it."""

FIRST_LOOK_S = 0.05
"""Without an answer for so long, the nodes are asked; and again after twice that, and so on."""


class Invoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `invoke`. `payload` is hexadecimal."""

    service: int
    payload: str = ""
    metadata: str = ""
    deadline_s: Annotated[float, Meta(gt=0, le=60)] = 2.0


class Invoked(msgspec.Struct, frozen=True):
    """What came of a packet.

    Attributes:
        payload, metadata: Of the answer, hexadecimal; `None` without one.
        rtt_s: Until it came.
        receipt: What is known of the packet.
        connection: Its number, by which nodes know it.
    """

    payload: str | None
    metadata: str | None
    rtt_s: float | None
    receipt: Receipt
    connection: int


class InvokeVerbs:
    """Verbs of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def invoke(self, request: Request) -> AsyncIterator[Answer]:
        """Send a packet, wait for what comes back, or until nodes say that nothing will."""
        wanted = arguments_of(request, Invoke)
        payload = bytes_of(wanted.payload, what="payload")
        metadata = await metadata_of(self._host, wanted.metadata)
        with self._host.call(wanted.service, metadata=metadata) as channel:
            sent_s = asyncio.get_running_loop().time()
            if channel.send(payload, is_traced=True) == 0:
                raise LimitError("the pipe to the node takes nothing more now")
            came = await _answer(channel, wanted.deadline_s)
            rtt_s = asyncio.get_running_loop().time() - sent_s
            invoked = Invoked(
                payload=None if came is None else came.payload.hex(),
                metadata=None if came is None else came.metadata.hex(),
                rtt_s=None if came is None else rtt_s,
                receipt=await channel.fate(deadline_s=FATE_S),
                connection=channel.connection,
            )
        yield to_answer(invoked, schema="ei.invoked/1")


async def _answer(channel: ServiceChannel, deadline_s: float) -> PacketReceived | None:
    """Return what comes back; `None` at the deadline, or when the packet was dropped."""
    ends_s = asyncio.get_running_loop().time() + deadline_s
    wait_s = FIRST_LOOK_S
    while (left_s := ends_s - asyncio.get_running_loop().time()) > 0:
        try:
            return await channel.receive(deadline_s=min(wait_s, left_s))
        except DeadlineError:
            wait_s *= 2
        if (await channel.fate(deadline_s=FATE_S)).outcome == "dropped":
            return None
    return None
