"""Admin verbs that send and collect numbered traffic, and exchange control messages."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import msgspec

from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import LocalError
from ei.host.client import Host
from ei.host.names import bytes_of, metadata_of
from ei.host.traffic import Collectors, send_numbered

DONE: Answer = {"schema": "ei.done/1"}
INBOX_ITEMS = 65_536
POLL_S = 60.0


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `control`."""

    service: int
    message: str
    every_s: float | None = None
    node: str | None = None


class Collect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `collect`: packets of a service, or datagrams to a port."""

    name: str
    service: int | None = None
    metadata: str = ""
    port: int | None = None


class Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `collected`. `is_last` ends the collector."""

    name: str
    is_last: bool = False


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many numbered payloads are sent. Rate 0 is as fast as the pipe takes them."""

    count: int
    rate_pps: float = 0.0
    length_bytes: int = 64
    first: int = 0


class SendPackets(Load, frozen=True):
    """Arguments of `send_packets`."""

    service: int
    metadata: str


class SendDatagrams(Load, frozen=True):
    """Arguments of `send_datagrams`."""

    to: str
    port: int


class SendReceipts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `send_receipts`: datagrams one after another, each with its receipt."""

    to: str
    port: int
    count: int
    deadline_s: float = 2.0


class Receipts(msgspec.Struct, frozen=True):
    """How many datagrams ended as what by their deadline."""

    sent: int
    statuses: dict[str, int]


class TrafficVerbs:
    """Verbs of one host.

    Args:
        group: Owns what runs on after an answer.
        now_ns: Reads the clock.
    """

    def __init__(self, host: Host, group: asyncio.TaskGroup, now_ns: Callable[[], int]) -> None:
        self._host = host
        self._group = group
        self._now_ns = now_ns
        self._collectors = Collectors(group, now_ns)
        self._repeats: dict[tuple[int, bytes], asyncio.Task[None]] = {}

    async def control(self, request: Request) -> AsyncIterator[Answer]:
        """Send a control message to a service, once or again and again."""
        wanted = arguments_of(request, Control)
        message = bytes_of(wanted.message, what="message")
        key = (wanted.service, message)
        if (running := self._repeats.pop(key, None)) is not None:
            _ = running.cancel()
        if wanted.every_s is None or wanted.every_s > 0:
            self._send_control(wanted, message)
        if wanted.every_s:
            self._repeats[key] = self._group.create_task(self._repeat_control(wanted, message))
        yield DONE

    async def collect(self, request: Request) -> AsyncIterator[Answer]:
        """Begin to collect numbered packets or datagrams."""
        wanted = arguments_of(request, Collect)
        if (wanted.service is None) == (wanted.port is None):
            raise LocalError("collect: name either a service or a port")
        if wanted.port is not None:
            port = self._host.datagrams(wanted.port, limit_items=INBOX_ITEMS)

            async def datagram() -> bytes:
                return (await port.receive(deadline_s=POLL_S)).data

            self._collectors.start(wanted.name, datagram, port.close)
        else:
            channel = self._host.listen(
                wanted.service or 0,
                metadata=await metadata_of(self._host, wanted.metadata),
                limit_items=INBOX_ITEMS,
            )

            async def packet() -> bytes:
                return (await channel.receive(deadline_s=POLL_S)).payload

            self._collectors.start(wanted.name, packet, channel.close)
        yield DONE

    async def collected(self, request: Request) -> AsyncIterator[Answer]:
        """Tell what a collector has."""
        wanted = arguments_of(request, Read)
        read = self._collectors.stop if wanted.is_last else self._collectors.read
        yield to_answer(read(wanted.name), schema="ei.collected/1")

    async def send_packets(self, request: Request) -> AsyncIterator[Answer]:
        """Send numbered packets that name a service."""
        wanted = arguments_of(request, SendPackets)
        metadata = await metadata_of(self._host, wanted.metadata)
        with self._host.call(wanted.service, metadata=metadata) as channel:
            yield await self._send_load(wanted, lambda payloads: channel.send(*payloads))

    async def send_datagrams(self, request: Request) -> AsyncIterator[Answer]:
        """Send numbered datagrams to a port of a host."""
        wanted = arguments_of(request, SendDatagrams)
        to = await self._host.lookup(wanted.to)
        with self._host.datagrams() as channel:

            def send(payloads: list[bytes]) -> int:
                for taken, payload in enumerate(payloads):
                    if not channel.try_send(to, payload, port=wanted.port):
                        return taken  # the session is not there yet; the rest count as refused
                return len(payloads)

            yield await self._send_load(wanted, send)

    async def send_receipts(self, request: Request) -> AsyncIterator[Answer]:
        """Send datagrams and wait for the receipt of each."""
        wanted = arguments_of(request, SendReceipts)
        statuses: Counter[str] = Counter()
        with self._host.datagrams() as channel:
            for number in range(wanted.count):
                receipt = await channel.send(
                    wanted.to,
                    number.to_bytes(8, "little"),
                    port=wanted.port,
                    deadline_s=wanted.deadline_s,
                )
                statuses[receipt.outcome] += 1
        yield to_answer(Receipts(wanted.count, dict(statuses)), schema="ei.receipts/1")

    async def _send_load(self, load: Load, send: Callable[[list[bytes]], int]) -> Answer:
        sent = await send_numbered(
            send,
            first=load.first,
            count=load.count,
            rate_pps=load.rate_pps,
            length_bytes=load.length_bytes,
            now_ns=self._now_ns,
        )
        return to_answer(sent, schema="ei.sent/1")

    def _send_control(self, wanted: Control, message: bytes) -> None:
        node = None if wanted.node is None else self._host.find(wanted.node)
        self._host.send_control(wanted.service, message, node=node)

    async def _repeat_control(self, wanted: Control, message: bytes) -> None:
        while wanted.every_s:
            await asyncio.sleep(wanted.every_s)
            self._send_control(wanted, message)
