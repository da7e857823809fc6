"""The private way on: by the relay, two nodes of two operators, or not at all.

What is not for the relay is refused with the reason, never carried another way: hosts of the
Extensible Internet, which see who asks, and questions of names to the servers of this machine.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Literal, Protocol

from ei.daemons.log import Log
from ei.errors import DeniedError, EiError
from ei.host.client import Host
from ei.records.locations import format_location
from ei.records.operators import operator_of
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address, domain_number_of
from ei.services.relay.client import RelayStatus, relaying
from ei.ways.dialing import DIAL_S, not_private, ours
from ei.ways.dns_messages import Question
from ei.ways.dns_zone import Looked, Unknown
from ei.ways.ends import ByteStream, StreamEnd
from ei.ways.exits import ExitWish, choose_exit
from ei.ways.page import PartySeen, PrivateSeen

READY_S = 5.0
LOOK_S = 0.25
"""Between two looks whether the circuit is still there; its streams are told at once."""
MOST_S = 90.0
LASTS_S = 2 * MOST_S
"""A circuit that is replaced earlier did not last; longer than any pause."""


class Relay(Protocol):
    """Carries connections to servers by two nodes; see `ei.services.relay.client.PrivateRelay`."""

    async def ready(self, *, deadline_s: float) -> None:
        """Return once there is a circuit."""
        ...

    async def open(
        self,
        name: str,
        port: int,
        *,
        transport: Literal["tcp", "udp"] = "tcp",
        first: bytes = b"",
        deadline_s: float,
    ) -> ByteStream:
        """Open a stream to a server; the exit resolves its name."""
        ...

    def status(self) -> RelayStatus:
        """Return which nodes there are, and whether the circuit is up."""
        ...


class PrivateDialler:
    """Opens connections to servers by a relay.

    Args:
        records: That the host has now: what they know is no server.
    """

    def __init__(self, relay: Relay, records: Callable[[], RecordSet]) -> None:
        self._relay = relay
        self._records = records

    async def dial(self, name: str, port: int, *, deadline_s: float = DIAL_S) -> StreamEnd:
        """Open a connection.

        Raises:
            DeniedError: to a host, not to a server; or there are no two operators.
            EiError: there is none: why.
        """
        return await self._open(name, port, "tcp", deadline_s)

    async def dial_datagrams(self, host: str, port: int) -> StreamEnd:
        """Open a stream of datagrams to a server; see `ei.ways.legacy_datagrams`."""
        return await self._open(host, port, "udp", DIAL_S)

    async def _open(
        self, name: str, port: int, transport: Literal["tcp", "udp"], deadline_s: float
    ) -> StreamEnd:
        if ours(name, self._records().domains) is not None:
            raise not_private(name)
        plain = name.strip("[]")
        stream = await self._relay.open(plain, port, transport=transport, deadline_s=deadline_s)
        return StreamEnd(stream, is_settled=True)


async def look_for_nobody(wanted: str | Address) -> Looked:
    """Answer for a name or address of ours, about which nobody is asked: they are not reached."""
    return Unknown(str(not_private(wanted if isinstance(wanted, str) else "this address")))


async def ask_nobody(question: Question, *, is_udp: bool) -> bytes:
    """Answer for what only the servers of this machine could say: they would see what is asked.

    Raises:
        DeniedError: always.
    """
    way = "UDP" if is_udp else "TCP"
    raise DeniedError(
        f"by --private no server of this machine is asked about {question.name} (by {way}); names"
        " of servers are resolved at the exit"
    )


@asynccontextmanager
async def private_way(
    host: Host, wish: ExitWish, *, random: Random, log: Log
) -> AsyncGenerator[Relay]:
    """Keep a circuit of a host ready while the block runs.

    Raises:
        EiError: There is no exit for this host, whichever of its nodes it uses: see `choose_exit`.
    """
    expect_exit(host, wish, random)
    async with (
        relaying(host, exit=chooser(host, wish, random)) as relay,
        asyncio.TaskGroup() as group,
    ):
        keeping = group.create_task(keep_ready(relay, log))
        try:
            yield relay
        finally:
            _ = keeping.cancel()


def chooser(host: Host, wish: ExitWish, random: Random) -> Callable[[frozenset[Address]], Address]:
    """Return what chooses the exit of a host, by what it knows then; see `choose_exit`."""
    before: Address | None = None

    def choose(tried: frozenset[Address]) -> Address:
        nonlocal before
        before = choose_exit(
            host.records, node_in_use(host), wish=wish, tried=tried, random=random, before=before
        )
        return before

    return choose


def expect_exit(host: Host, wish: ExitWish, random: Random) -> None:
    """See that there is an exit for a host, attached or not, by the records that it has.

    Raises:
        EiError: There is none: what the first of its nodes lacks.
    """
    refused: list[EiError] = []
    for node in host.nodes:
        try:
            _ = choose_exit(host.records, node, wish=wish, tried=(), random=random)
        except EiError as error:
            refused.append(error)
        else:
            return
    raise refused[0]


async def keep_ready(relay: Relay, log: Log) -> None:
    """Have a circuit before anybody asks for one, again whenever it is lost.

    Each takes a token, of which there are some in an hour: where circuits do not last, or cannot be
    had, the pauses grow. Who asks for a connection does not wait for them.
    """
    now_s = asyncio.get_running_loop().time
    said, pause_s, circuits, since_s = "", LOOK_S, 0, now_s() - LASTS_S
    while True:
        try:
            await relay.ready(deadline_s=READY_S)
        except EiError as error:
            if said != str(error):
                said = str(error)
                log.warn("no private way", reason=said)
            pause_s = min(2 * pause_s, MOST_S)
        else:
            said = ""
            if relay.status().circuits != circuits:
                has_lasted = now_s() - since_s >= LASTS_S
                pause_s = LOOK_S if has_lasted else min(2 * pause_s, MOST_S)
                circuits, since_s = relay.status().circuits, now_s()
        await asyncio.sleep(pause_s)


def node_in_use(host: Host) -> Address | None:
    """Return the node that a host hands its packets to; `None` while none is up."""
    used = (each.node for each in host.status().attachments if each.is_used and each.is_up)
    name = next(used, None)
    return None if name is None else host.find(name)


def seen_of(relay: Relay, records: RecordSet) -> PrivateSeen:
    """Return what people are shown of a private way."""
    status = relay.status()
    return PrivateSeen(
        status.is_up,
        party_of(status.node, records),
        party_of(status.exit, records),
        status.why_not,
    )


def party_of(node: Address | None, records: RecordSet) -> PartySeen | None:
    """Return a node, who runs it, and where it is."""
    if node is None:
        return None
    record = records.nodes.get(node)
    location = "" if record is None or record.location is None else format_location(record.location)
    operator = operator_of(domain_number_of(node), records)
    return PartySeen(records.name_of(node), operator or "nobody known", location)
