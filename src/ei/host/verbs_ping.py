"""Admin verbs `ping` and `ask`: round trips to a host, and through a service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import DeadlineError
from ei.host.client import Host
from ei.host.names import metadata_of
from ei.host.sessions import DELIVERY
from ei.records.addresses import format_address


class Ping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `ping`. `deadline_s` is for each one."""

    to: str
    count: int = 1
    interval_s: float = 0.0
    deadline_s: float = 2.0
    is_traced: bool = False
    length_bytes: int = 0


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `ask`. `deadline_s` is for each one."""

    service: int
    count: int = 1
    interval_s: float = 0.0
    metadata: str = ""
    deadline_s: float = 2.0
    is_traced: bool = False
    length_bytes: int = 0


class Pings(msgspec.Struct, frozen=True):
    """Round trips, in seconds; those without an answer are missing, and `reason` is the last's.

    `source`, `service` and `connection` are those of the packets, by which nodes know them.
    """

    to: str
    sent: int
    rtts_s: list[float]
    source: str
    service: int
    connection: int
    reason: str


class PingVerbs:
    """Verbs of one host."""

    def __init__(self, host: Host, now_ns: Callable[[], int]) -> None:
        self._host = host
        self._now_ns = now_ns

    async def ping(self, request: Request) -> AsyncIterator[Answer]:
        """Ask another host's stack for echoes, one after another."""
        wanted = arguments_of(request, Ping)
        to = await self._host.lookup(wanted.to, deadline_s=wanted.deadline_s)
        data = bytes(wanted.length_bytes)

        async def once() -> float:
            return await self._host.ping(
                to, data, deadline_s=wanted.deadline_s, is_traced=wanted.is_traced
            )

        connection = self._host.connection_to(to)
        yield await self._repeat(
            self._host.records.name_of(to),
            once,
            wanted,
            service=DELIVERY,
            connection=connection,
        )

    async def ask(self, request: Request) -> AsyncIterator[Answer]:
        """Send packets to a service and wait for what comes back, one after another."""
        wanted = arguments_of(request, Ask)
        metadata = await metadata_of(self._host, wanted.metadata)
        payload = bytes(wanted.length_bytes)
        with self._host.call(wanted.service, metadata=metadata) as channel:

            async def once() -> float:
                sent_ns = self._now_ns()
                _ = channel.send(payload, is_traced=wanted.is_traced)
                _ = await channel.receive(deadline_s=wanted.deadline_s)
                return (self._now_ns() - sent_ns) / 1e9

            yield await self._repeat(
                f"service {wanted.service}",
                once,
                wanted,
                service=wanted.service,
                connection=channel.connection,
            )

    async def _repeat(
        self,
        to: str,
        once: Callable[[], Awaitable[float]],
        wanted: Ping | Ask,
        *,
        service: int,
        connection: int,
    ) -> Answer:
        rtts_s: list[float] = []
        reason = ""
        for number in range(wanted.count):
            if number and wanted.interval_s:
                await asyncio.sleep(wanted.interval_s)
            try:
                rtts_s.append(await once())
            except DeadlineError as error:
                reason = str(error)
        source = format_address(self._host.address)
        pings = Pings(to, wanted.count, rtts_s, source, service, connection, reason)
        return to_answer(pings, schema="ei.ping/1")
