"""`ei gateway multicast`: programs of IP multicast on a local network, and groups of ours.

    group ──> this host ──> 239.1.2.3:5001 ──> receivers      `Bridge.to_network`
    sender ──> 239.1.2.3:5001 ──> this host ──> group         the other way

A datagram is a message; what is lost on its way through us is sent again, and may come late, as
datagrams may. What this host puts on the network it does not take from there; two gateways on one
network, each of which takes what the other puts there, would go round in a circle: do not.
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress

import msgspec

from ei.daemons.log import Log
from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.errors import ConfigError, DeadlineError, LocalError
from ei.host.client import Host
from ei.services.multicast.client import LONGEST_BYTES, Receiver, Sender, receive, send

MAX_DATAGRAM_BYTES = 65_535
WAIT_S = 3_600.0
BUFFER_BYTES = 4 << 20


class Bridge(msgspec.Struct, frozen=True):
    """A group of ours and one of the network.

    Attributes:
        group: Such as `news.isp-a`.
        address, port: Of IP multicast, such as 239.1.2.3 and 5001.
        to_network: Which way: to the network, or from it.
    """

    group: str
    address: str
    port: int
    to_network: bool

    def check(self) -> None:
        """See that it can be.

        Raises:
            ConfigError: the address is none of IPv4 multicast.
        """
        try:
            is_multicast = ipaddress.IPv4Address(self.address).is_multicast
        except ValueError:
            is_multicast = False
        if not is_multicast:
            raise ConfigError(
                f"{self.address} is no address of multicast; allowed are 224.0.0.0 to "
                "239.255.255.255, for a local network 239.0.0.0 and above"
            )


class BridgeStatus(msgspec.Struct, frozen=True):
    """What one bridge has carried.

    Attributes:
        datagrams: That went through.
        too_long: From the network, of more than 1,200 bytes.
        refused: That the host's pipe, or the network, did not take.
        own: From the network, which this host had put there itself, and which go no further.
    """

    bridge: Bridge
    datagrams: int
    too_long: int
    refused: int
    own: int


class Carrier:
    """Carries the datagrams of one bridge."""

    def __init__(self, bridge: Bridge, *, interface: str, ttl: int) -> None:
        self._bridge = bridge
        self._interface = interface
        self._ttl = ttl
        self._datagrams = 0
        self._too_long = 0
        self._refused = 0
        self._own = 0

    def status(self) -> BridgeStatus:
        """Return what it has carried."""
        return BridgeStatus(self._bridge, self._datagrams, self._too_long, self._refused, self._own)

    def open(self) -> socket.socket:
        """Return the socket of the network.

        Raises:
            LocalError: there is no such interface, or the port is taken.
        """
        bridge, own = self._bridge, socket.inet_aton(self._interface)
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)  # noqa: FBT003 by position only
            if bridge.to_network:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
                made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._ttl)
                made.bind((self._interface, 0))
            else:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                made.bind((bridge.address, bridge.port))
                member = struct.pack("4s4s", socket.inet_aton(bridge.address), own)
                made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError as error:
            made.close()
            raise LocalError(
                f"no multicast of {bridge.address}:{bridge.port} by {self._interface}: "
                f"{error.strerror}",
                remedy="Name an address of this machine by --interface; ip -4 addr lists them",
            ) from error
        return made

    async def to_network(self, receiver: Receiver, network: socket.socket) -> None:
        """Put what comes to the group on the network, until cancelled."""
        to = (self._bridge.address, self._bridge.port)
        while True:
            with suppress(DeadlineError):
                message = await receiver.receive(deadline_s=WAIT_S)
                try:
                    _ = network.sendto(message.data, to)
                    self._datagrams += 1
                except OSError:
                    self._refused += 1

    async def from_network(
        self, sender: Sender, network: socket.socket, own: Collection[tuple[str, int]]
    ) -> None:
        """Send what comes on the network to the group, until cancelled.

        Args:
            own: From where this process sends to the network: that comes from a group already.
        """
        loop = asyncio.get_running_loop()
        while True:
            data, source = await loop.sock_recvfrom(network, MAX_DATAGRAM_BYTES)
            if source in own:
                self._own += 1
            elif not 1 <= len(data) <= LONGEST_BYTES:
                self._too_long += 1
            elif sender.send(data):
                self._datagrams += 1
            else:
                self._refused += 1


@asynccontextmanager
async def bridging(  # noqa: PLR0913 what there is, and how it is reached
    host: Host,
    bridges: Sequence[Bridge],
    *,
    interface: str,
    ttl: int,
    log: Log,
    open_socket: Callable[["Carrier"], socket.socket] | None = None,
) -> AsyncGenerator[list[Carrier]]:
    """Carry datagrams while the block runs.

    Args:
        interface: An IPv4 address of this machine: by its interface the network is reached.
        ttl: How many routers of the network datagrams may pass, 1 for none.
        open_socket: Opens the socket of the network; by default `Carrier.open`.

    Raises:
        ConfigError: an address is none of multicast, or several bridges go from the network.
        LocalError: the network cannot be reached so.
        NotFoundError: no record of a group.
    """
    for bridge in bridges:
        bridge.check()
    if sum(not bridge.to_network for bridge in bridges) > 1:
        raise ConfigError("a host sends to one group at a time: one --from, more by more gateways")
    carriers: list[Carrier] = []
    async with AsyncExitStack() as stack:
        works: list[tuple[Carrier, Receiver | Sender, socket.socket]] = []
        for bridge in bridges:
            carrier = Carrier(bridge, interface=interface, ttl=ttl)
            network = stack.enter_context(closing((open_socket or Carrier.open)(carrier)))
            end = receive(host, bridge.group) if bridge.to_network else send(host, bridge.group)
            works.append((carrier, await stack.enter_async_context(end), network))
            carriers.append(carrier)
            log.info(
                "bridged",
                group=bridge.group,
                network=f"{bridge.address}:{bridge.port}",
                to_network=bridge.to_network,
            )
        own = frozenset(
            network.getsockname() for _, end, network in works if isinstance(end, Receiver)
        )
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [
            tasks.create_task(
                carrier.to_network(end, network)
                if isinstance(end, Receiver)
                else carrier.from_network(end, network, own)
            )
            for carrier, end, network in works
        ]
        try:
            yield carriers
        finally:
            for task in running:
                _ = task.cancel()


class MulticastStatus(msgspec.Struct, frozen=True):
    """A gateway of multicast at one moment."""

    name: str
    bridges: tuple[BridgeStatus, ...]


async def answer_status(
    request: Request, host: Host, carriers: list[Carrier]
) -> AsyncIterator[Answer]:
    """Answer the admin verb `multicast`."""
    _ = arguments_of(request, NoArguments)
    status = MulticastStatus(host.name, tuple(carrier.status() for carrier in carriers))
    yield to_answer(status, schema="ei.multicast-status/1")
