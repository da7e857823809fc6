"""What a program in its namespace sends beside TCP: questions of names, datagrams, echoes.

Datagrams to a host of the service layer go as datagrams of delivery, port to port, and those that
come back find the program's port. Others go on from the node, as streams of termination. What has
no way is refused as the system would refuse it: a program that waits is told at once.
"""

import asyncio
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from ei.daemons.log import Level, Log
from ei.errors import DeadlineError, EiError
from ei.host.events import DatagramReceived
from ei.records.addresses import format_address
from ei.sdk.packets import Address
from ei.ways.dialing import not_private
from ei.ways.dns_stub import Stub
from ei.ways.dns_upstream import DNS_PORT
from ei.ways.enclosing import HARDWARE, MTU_BYTES, OUTSIDE
from ei.ways.ends import End
from ei.ways.ip_packets import (
    Datagram,
    Echo,
    Place,
    read_packet,
    write_datagram,
    write_reply,
    write_unreachable,
)
from ei.ways.legacy_datagrams import DialDatagrams, LegacyDatagrams
from ei.ways.names import to_address

MOST_PORTS = 256
"""Of the program from which datagrams went out; the one that was not used for longest is closed."""
MOST_TASKS = 1_024
MOST_AT_ONCE = 64
ETHERNET_4, ETHERNET_6 = 0x0800, 0x86DD
LISTEN_S = 3_600.0
PING_S = 5.0


class Port(Protocol):
    """A port of the host; see `ei.host.channels.DatagramChannel`."""

    def try_send(self, to: str | Address, data: bytes, *, port: int | None = None) -> bool:
        """Send a datagram and forget it."""
        ...

    async def receive(self, *, deadline_s: float) -> DatagramReceived:
        """Return the next that came."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


class Sender(Protocol):
    """The host that datagrams and echoes go out from; see `ei.host.client.Host`."""

    @property
    def address(self) -> Address:
        """Its own."""
        ...

    def datagrams(self, port: int = 0) -> Port:
        """Open a port."""
        ...

    async def ping(self, to: str | Address, data: bytes = b"", *, deadline_s: float = 2.0) -> float:
        """Ask another host for an echo."""
        ...


@dataclass(frozen=True, slots=True)
class Far:
    """Where datagrams go.

    Attributes:
        host: `None` where none may be reached, as it would see who sends.
        dial: Opens a stream of datagrams to an address of the legacy Internet, or what it stands
            for.
    """

    host: Sender | None
    dial: DialDatagrams


@dataclass(slots=True)
class _Flow:
    """Datagrams from one port of the program to the legacy Internet; the newest is kept."""

    carried: LegacyDatagrams
    newest: tuple[Place, bytes] = (("", 0), b"")


class RunPackets:
    """Takes and answers the packets of a namespace, on the running loop.

    Args:
        far: Where datagrams go; `None` carries nothing but questions of names.
        packets: The packet socket at the device's other end.
        told: Gets one sentence for each destination that nothing goes to.
    """

    def __init__(
        self,
        packets: socket.socket,
        *,
        far: Far | None,
        stub: Stub,
        told: Callable[[str], None],
    ) -> None:
        self._far = far
        self._packets = packets
        self._stub = stub
        self._told = told
        self._group = asyncio.TaskGroup()
        self._tasks = 0
        self._ports = OrderedDict[int, Port]()
        self._flows: dict[Place, _Flow] = {}
        self.counted = Counter[str]()

    async def serve(self) -> None:
        """Take and answer packets until cancelled."""
        loop = asyncio.get_running_loop()
        self._packets.setblocking(False)  # noqa: FBT003 its own name
        loop.add_reader(self._packets, self._on_readable)
        try:
            async with self._group:
                _ = await loop.create_future()
        finally:
            _ = loop.remove_reader(self._packets)
            for channel in self._ports.values():
                channel.close()

    def drain(self) -> None:
        """Take what the program sent last."""
        self._on_readable()

    def _on_readable(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                packet, (_, _, direction, *_) = self._packets.recvfrom(MTU_BYTES)
            except BlockingIOError:
                return
            if direction != socket.PACKET_OUTGOING:
                self._take(packet)

    def _take(self, packet: bytes) -> None:
        match read_packet(packet):
            case Datagram(to=(place, port)) as datagram:
                to = to_address(place)
                if to is None and port == DNS_PORT:
                    self._start(self._answer(datagram))
                elif self._far is None:
                    self._refuse(packet, f"{place} port {port}: UDP has no way")
                elif to is None:
                    self._send_out(self._far, datagram, packet)
                else:
                    self._send_on(self._far.host, to, datagram, packet)
            case Echo(to=place) as echo:
                to = to_address(place)
                if to is None or self._far is None or self._far.host is None:
                    self._refuse(packet, f"{place}: pings go from host to host only")
                else:
                    self._start(self._echo(self._far.host, to, echo))
            case None:
                self.counted["other"] += 1

    def _start(self, work: Coroutine[object, object, None]) -> None:
        if self._tasks >= MOST_TASKS:
            work.close()
            self.counted["overflow"] += 1
            return
        self._tasks += 1
        self._group.create_task(work).add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._tasks -= 1

    async def _answer(self, question: Datagram) -> None:
        answer = await self._stub.answer(question.data, client=question.source, is_udp=True)
        if answer:
            self._give(write_datagram(Datagram(question.to, question.source, answer)))

    async def _echo(self, host: Sender, to: Address, echo: Echo) -> None:
        try:
            _ = await host.ping(to, echo.data, deadline_s=PING_S)
        except DeadlineError:
            return
        except EiError as error:
            self._told(f"{echo.to}: {error}")
            return
        self._give(write_reply(echo))

    def _send_on(self, host: Sender | None, to: Address, datagram: Datagram, packet: bytes) -> None:
        (place, port), (_, own_port) = datagram.to, datagram.source
        if host is None:
            self._refuse(packet, str(not_private(place)))
            return
        try:
            channel = self._ports.get(own_port) or self._open(host, own_port)
            self._ports.move_to_end(own_port)
            is_taken = channel.try_send(to, datagram.data, port=port)
        except EiError as error:
            self._refuse(packet, f"{place} port {port}: {error}")
            return
        self.counted["sent" if is_taken else "not_taken"] += 1

    def _open(self, host: Sender, port: int) -> Port:
        while len(self._ports) >= MOST_PORTS:
            self._ports.popitem(last=False)[1].close()
        channel = host.datagrams(port)
        self._ports[port] = channel
        place = (format_address(host.address), port)
        _ = self._group.create_task(self._receive(channel, place))
        return channel

    async def _receive(self, channel: Port, place: Place) -> None:
        while True:
            try:
                received = await channel.receive(deadline_s=LISTEN_S)
            except DeadlineError:
                continue
            except EiError:
                return  # it was closed
            source = (format_address(received.source), received.source_port)
            self._give(write_datagram(Datagram(source, place, received.data)))

    def _send_out(self, far: "Far", datagram: Datagram, packet: bytes) -> None:
        flow = self._flows.get(datagram.source)
        if flow is None:
            self._flows = {place: each for place, each in self._flows.items() if len(each.carried)}
            if len(self._flows) >= MOST_PORTS:
                self.counted["not_taken"] += 1
                return
            flow = self._flows[datagram.source] = self._make_flow(far, datagram.source)
        flow.newest = (datagram.to, packet)
        is_taken = flow.carried.send(*datagram.to, datagram.data)
        self.counted["sent" if is_taken else "not_taken"] += 1

    def _make_flow(self, far: "Far", own: Place) -> "_Flow":
        async def dial(host: str, port: int) -> End:
            try:
                return await far.dial(host, port)
            except EiError as error:
                to, packet = flow.newest
                if to == (host, port):
                    self._refuse(packet, f"{host} port {port}: {error}")
                raise

        def hand(host: str, port: int, data: bytes) -> None:
            self._give(write_datagram(Datagram((host, port), own, data)))

        flow = _Flow(LegacyDatagrams(dial, hand, self._group, log=Log(level=Level.ERROR)))
        return flow

    def _refuse(self, packet: bytes, why: str) -> None:
        self.counted["refused"] += 1
        self._told(why)
        self._give(write_unreachable(packet))

    def _give(self, packet: bytes) -> None:
        kind = ETHERNET_6 if packet[0] >> 4 == 6 else ETHERNET_4  # noqa: PLR2004 IPv6
        try:
            _ = self._packets.sendto(packet, (OUTSIDE, kind, 0, 0, HARDWARE))
        except OSError:
            self.counted["not_given"] += 1
