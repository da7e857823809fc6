"""Datagrams by a proxy that speaks SOCKS 5 (UDP ASSOCIATE), such as `ei proxy`.

Each port of a program has an association of its own, and each place of the legacy Internet that it
sends to: the proxy keeps the datagrams of different programs apart by them.
"""

import asyncio
from collections import Counter

from ei.errors import DeniedError, EiError, StreamError
from ei.host.deadlines import DEFAULT_S, within
from ei.host.events import DatagramReceived
from ei.host.inbox import Inbox
from ei.host.stream_codes import ABORTED
from ei.host.streams import READ_BYTES
from ei.records.addresses import format_address
from ei.records.endpoints import Endpoint
from ei.sdk.packets import Address
from ei.ways.ends import PATIENCE_S
from ei.ways.legacy_datagrams import LENGTH_BYTES
from ei.ways.names import to_address
from ei.ways.socks import SocksError, read_datagram, write_datagram
from ei.ways.socks_dialler import associate

MAX_WAITING = 64
"""Datagrams that wait for the association, and that wait to be received."""


class Association(asyncio.DatagramProtocol):
    """An association with the proxy at an endpoint, from now until `close`; on the running loop.

    Attributes:
        counted: Datagrams that were dropped, by reason.
    """

    def __init__(self, proxy: Endpoint) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] = []
        self._inbox = Inbox[tuple[str, int, bytes]]("datagram", limit_items=MAX_WAITING)
        self._task = asyncio.get_running_loop().create_task(self._run(proxy))
        self.counted = Counter[str]()

    def send(self, host: str, port: int, data: bytes) -> bool:
        """Send a datagram to a name or address; return whether it was taken."""
        whole = write_datagram(host, port, data)
        if self._transport is not None:
            self._transport.sendto(whole)
        elif self._task.done() or len(self._waiting) >= MAX_WAITING:
            return False
        else:
            self._waiting.append(whole)
        return True

    async def receive(self, *, deadline_s: float) -> tuple[str, int, bytes]:
        """Return where the next datagram came from, as the proxy says, and what it is.

        Raises:
            DeadlineError: none came.
            EiError: the association is over: why.
        """
        return await self._inbox.get(deadline_s=deadline_s)

    def close(self) -> None:
        """End it. Idempotent."""
        _ = self._task.cancel()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Send what has waited."""
        self._transport = transport
        for whole in self._waiting:
            transport.sendto(whole)
        self._waiting.clear()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Let it wait to be received."""
        try:
            if not self._inbox.put(read_datagram(data)):
                self.counted["overflow"] += 1
        except SocksError:
            self.counted["malformed"] += 1

    async def _run(self, proxy: Endpoint) -> None:
        ended: EiError = StreamError("the association was closed", kind="closed")
        try:
            async with within(DEFAULT_S, "association with the proxy"):
                control, relay = await associate(proxy)
            loop = asyncio.get_running_loop()
            try:
                transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=relay)
                try:
                    while await control.read():
                        pass
                    ended = StreamError("the proxy ended the association", kind="lost")
                finally:
                    transport.close()
            finally:
                self._transport = None
                control.abort()
        except EiError as error:
            ended = error
        finally:
            self._inbox.close(ended)


class ProxiedPort:
    """A port of a program, as of a host: what it sends to hosts goes by an association."""

    def __init__(self, proxy: Endpoint) -> None:
        self._carried = Association(proxy)

    def try_send(self, to: str | Address, data: bytes, *, port: int | None = None) -> bool:
        """Send a datagram and forget it."""
        place = to if isinstance(to, str) else format_address(to)
        return self._carried.send(place, port or 0, data)

    async def receive(self, *, deadline_s: float) -> DatagramReceived:
        """Return the next that came from where one was sent to."""
        while True:
            host, port, data = await self._carried.receive(deadline_s=deadline_s)
            source = to_address(host)
            if source is not None:
                return DatagramReceived(source, port, 0, data, None)

    def close(self) -> None:
        """Give it back."""
        self._carried.close()


class ProxiedHost:
    """A host whose daemon runs with a proxy, as something that sends datagrams.

    Attributes:
        address: Its own.
    """

    def __init__(self, proxy: Endpoint, address: Address) -> None:
        self._proxy = proxy
        self.address = address

    def datagrams(self, port: int = 0) -> ProxiedPort:
        """Open a port; the number that others see is one that the daemon takes."""
        return ProxiedPort(self._proxy)

    async def ping(self, to: str | Address, data: bytes = b"", *, deadline_s: float = 2.0) -> float:
        """There is no ping in SOCKS.

        Raises:
            DeniedError: always.
        """
        raise DeniedError("pings do not go by a proxy", remedy="Ask the host itself: ei ping")


class ProxiedPlace:
    """A place of the legacy Internet, as a stream of datagrams with their length before them."""

    def __init__(self, proxy: Endpoint, host: str, port: int) -> None:
        self._place = (host, port)
        self._carried = Association(proxy)

    async def read(self, max_bytes: int = READ_BYTES) -> bytes:
        """Return the next datagram that came."""
        _, _, data = await self._carried.receive(deadline_s=PATIENCE_S)
        return len(data).to_bytes(LENGTH_BYTES, "little") + data

    async def write(self, data: bytes) -> None:
        """Send one datagram."""
        _ = self._carried.send(*self._place, data[LENGTH_BYTES:])

    async def finish(self) -> None:
        """Datagrams have no end."""

    async def settle(self) -> None:
        """Nobody says whether datagrams are taken."""

    async def close(self) -> None:
        """Let go of it."""
        self._carried.close()

    def abort(self, code: int = ABORTED) -> None:
        """Let go of it."""
        self._carried.close()
