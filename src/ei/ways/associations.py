"""Datagrams of programs that speak SOCKS (UDP ASSOCIATE): to hosts, and on from the node."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from ei.daemons.log import Log
from ei.errors import DeadlineError, EiError
from ei.host.channels import DatagramChannel
from ei.host.client import Host
from ei.records.addresses import format_address
from ei.sdk.packets import Address
from ei.ways.dialing import not_private, ours
from ei.ways.ends import PATIENCE_S
from ei.ways.legacy_datagrams import DialDatagrams, LegacyDatagrams
from ei.ways.names import to_dns_name
from ei.ways.socks import SocksError, read_datagram, write_datagram

MOST_BY_ADDRESS = 64
Place = tuple[str, int]


class Associations:
    """Carries the datagrams of each program for itself, on a port of its own.

    Args:
        address: IP address on which programs' datagrams are taken.
        dial: Opens a stream of datagrams to a server.
        is_private: Hosts are not reached, which would see who sends.
    """

    def __init__(
        self,
        host: Host,
        *,
        address: str,
        dial: DialDatagrams,
        log: Log,
        is_private: bool = False,
    ) -> None:
        self._host = host
        self._dial = dial
        self._is_private = is_private
        self._address = address
        self._log = log

    async def __call__(self, opened: Callable[[str, int], Awaitable[None]]) -> None:
        """Carry datagrams of one program until cancelled."""
        with self._host.datagrams() as channel:
            async with asyncio.TaskGroup() as group:
                await self._carry(channel, group, opened)

    async def _carry(
        self,
        channel: DatagramChannel,
        group: asyncio.TaskGroup,
        opened: Callable[[str, int], Awaitable[None]],
    ) -> None:
        legacy = partial(LegacyDatagrams, self._dial, group=group, log=self._log)
        far = _Program(self._host, None if self._is_private else channel, legacy, self._log)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: far, local_addr=(self._address, 0)
        )
        try:
            await opened(self._address, int(transport.get_extra_info("sockname")[1]))
            while True:
                await self._return(channel, far)
        finally:
            transport.close()

    async def _return(self, channel: DatagramChannel, program: "_Program") -> None:
        try:
            datagram = await channel.receive(deadline_s=PATIENCE_S)
        except DeadlineError:
            return
        name, own = self._host.records.name_of(datagram.source), format_address(datagram.source)
        # A program knows an answer by where it has sent to.
        is_named = name != own and datagram.source not in program.by_address
        program.hand(to_dns_name(name) if is_named else own, datagram.source_port, datagram.data)


class _Program(asyncio.DatagramProtocol):
    """The socket that a program sends to; the first who does is the program."""

    def __init__(
        self,
        host: Host,
        channel: DatagramChannel | None,
        legacy: Callable[[Callable[[str, int, bytes], None]], LegacyDatagrams],
        log: Log,
    ) -> None:
        self._host = host
        self._channel = channel
        self._legacy = legacy(self.hand)
        self._log = log
        self._transport: asyncio.DatagramTransport | None = None
        self._program: Place | None = None
        self.by_address = OrderedDict[Address, None]()
        """Hosts that the program sent to by their address, not their name."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Place) -> None:
        if self._program is None:
            self._program = addr
        if addr != self._program:
            return
        try:
            name, port, payload = read_datagram(data)
            to = ours(name, self._host.records.domains)
            if to is None:
                _ = self._legacy.send(name, port, payload)
            elif self._channel is None:
                raise not_private(name)
            else:
                self._note(to)
                _ = self._channel.try_send(to, payload, port=port)
        except (SocksError, EiError) as error:
            self._log.warn("datagram not carried", reason=str(error))

    def _note(self, to: str | Address) -> None:
        if not isinstance(to, str):
            self.by_address[to] = None
            self.by_address.move_to_end(to)
            if len(self.by_address) > MOST_BY_ADDRESS:
                _ = self.by_address.popitem(last=False)

    def hand(self, host: str, port: int, data: bytes) -> None:
        """Give the program a datagram from a place, once it is known where it is."""
        if self._transport is not None and self._program is not None:
            self._transport.sendto(write_datagram(host, port, data), self._program)
