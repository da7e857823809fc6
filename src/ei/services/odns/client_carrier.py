"""How questions of a host reach a target, and answers it: by its node, in packets or streams."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import msgspec

from ei.errors import DeadlineError, LimitError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.host.deadlines import within
from ei.sdk import Address
from ei.services.odns.messages import LENGTH_BYTES, ODNS, ask, back

MOST_WAITING = 8_192
HOUR_S = 3_600.0
LOOK_S = 0.05
"""How often it is looked what has waited for too long: a timer of the loop for each question costs
a tenth of all that a host does for it."""


class Carrier(Protocol):
    """Carries payloads; what it is made of is nothing to who asks."""

    async def exchange(self, target: Address, payload: bytes, *, wait_s: float) -> bytes:
        """Return what comes back in a packet.

        Raises:
            DeadlineError: Nothing does.
            LimitError: Too much is on its way.
        """
        ...

    async def exchange_long(self, target: Address, payload: bytes, *, wait_s: float) -> bytes:
        """Return what comes back by a stream.

        Raises:
            EiError: Nothing does: why.
        """
        ...

    def name_of(self, node: Address) -> str:
        """Return the name of a node."""
        ...

    @property
    def proxy_name(self) -> str:
        """Of the node that passes on."""
        ...


class _Waiting(msgspec.Struct, frozen=True):
    answer: asyncio.Future[bytes]
    target: Address
    wait_s: float
    ends_s: float


class HostCarrier:
    """Of a host; made by `carrying`."""

    def __init__(self, host: Host, channel: ServiceChannel) -> None:
        self._host = host
        self._channel = channel
        self._waiting: dict[int, _Waiting] = {}
        self._looking: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<HostCarrier {len(self._waiting)} on their way>"

    @property
    def proxy_name(self) -> str:
        used = [each.node for each in self._host.status().attachments if each.is_used]
        return used[0] if used else "the node of this host"

    def name_of(self, node: Address) -> str:
        return self._host.records.name_of(node)

    async def exchange(self, target: Address, payload: bytes, *, wait_s: float) -> bytes:
        if len(self._waiting) >= MOST_WAITING:
            raise LimitError(f"{MOST_WAITING} questions are on their way")
        number = secrets.randbits(64)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting[number] = _Waiting(answer, target, wait_s, loop.time() + wait_s)
        if self._looking is None:
            self._looking = loop.call_later(LOOK_S, self._look, loop)
        try:
            if not self._channel.send(payload, connection=number, metadata=ask(target)):
                raise LimitError("the pipe to the node takes nothing more now")
            return await answer
        finally:
            del self._waiting[number]

    async def exchange_long(self, target: Address, payload: bytes, *, wait_s: float) -> bytes:
        async with within(wait_s, f"answer of {self.name_of(target)}"):
            stream = await self._host.open_service_stream(
                ODNS, opening=ask(target), deadline_s=wait_s
            )
            try:
                await stream.write(len(payload).to_bytes(LENGTH_BYTES, "big") + payload)
                head = await stream.read_exactly(LENGTH_BYTES, deadline_s=wait_s)
                return await stream.read_exactly(int.from_bytes(head, "big"), deadline_s=wait_s)
            finally:
                stream.abort()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up what has waited for too long; look again while anything waits."""
        now_s = loop.time()
        for each in self._waiting.values():
            if each.ends_s <= now_s and not each.answer.done():
                late = (
                    f"within {each.wait_s:g} s there was no answer of {self.name_of(each.target)}"
                )
                each.answer.set_exception(DeadlineError(late))
        self._looking = loop.call_later(LOOK_S, self._look, loop) if self._waiting else None

    def close(self) -> None:
        """Look after nothing any more."""
        if self._looking is not None:
            self._looking.cancel()

    async def read(self) -> None:
        """Take what comes to whom it is for, until this is cancelled."""
        while True:
            with suppress(DeadlineError):
                packet = await self._channel.receive(deadline_s=HOUR_S)
                waiting = self._waiting.get(packet.connection)
                if waiting is not None and not waiting.answer.done():
                    waiting.answer.set_result(packet.payload)


@asynccontextmanager
async def carrying(host: Host) -> AsyncGenerator[HostCarrier]:
    """Carry for a host, attached or attaching, while the context lasts."""
    with host.listen(ODNS, metadata=back(), limit_items=MOST_WAITING) as channel:
        carrier = HostCarrier(host, channel)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(carrier.read())
            try:
                yield carrier
            finally:
                _ = reading.cancel()
                carrier.close()
