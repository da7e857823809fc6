"""The host of an asyncio program: the pure stack on a transport.

    async with ei.aio.connect("host.toml") as host:
        pong = await host.ping("bob.isp-b")
        with host.datagrams() as channel:
            receipt = await channel.send("bob.isp-b", b"hello", port=7)

Everything here runs on one event loop; nothing is thread-safe.
"""

from collections.abc import Iterable, Sequence
from typing import Self, TypeVar

from ei.errors import LocalError
from ei.host.channels import ControlChannel, DatagramChannel, ServiceChannel, Wanted
from ei.host.circuits import Circuit, Circuits
from ei.host.constraints import constraints_of
from ei.host.deadlines import DEFAULT_S, within
from ei.host.driver import Driver
from ei.host.events import (
    ContactLearned,
    DatagramReceived,
    HostEvent,
    ReceiptReceived,
    StatementReceived,
    StreamArrived,
    StreamConnected,
    StreamLost,
    StreamMoved,
    StreamsAvailable,
    Word,
)
from ei.host.inbox import DEFAULT_ITEMS
from ei.host.inquiries import Account
from ei.host.lookups import Lookups
from ei.host.outbox import Outbox
from ei.host.receipts import Receipts
from ei.host.routing import Router
from ei.host.stack import Stack
from ei.host.status import HostStatus, host_status
from ei.host.stream_routing import StreamRouter
from ei.host.streams import Stream, StreamListener
from ei.host.transport import Transport
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

ChannelT = TypeVar("ChannelT", DatagramChannel, ServiceChannel, ControlChannel)


class Host:
    """A host on the service layer; made by `connect`, or of a stack and a transport by a lab."""

    def __init__(self, stack: Stack, transport: Transport) -> None:
        self.keys = stack.identity.keys
        self._stack = stack
        self._transport = transport
        self._driver = Driver(stack, transport, self._take)
        self._router = Router()
        self._lookups = Lookups(stack, now_ns=self._driver.now_ns, touched=self._driver.touched)
        self._receipts = Receipts(stack, now_ns=self._driver.now_ns, touched=self._driver.touched)
        self._outbox = Outbox(
            stack, self._driver, self._router, lookups=self._lookups, receipts=self._receipts
        )
        self._streams = StreamRouter(
            stack, stack.streams, now_ns=self._driver.now_ns, touched=self._driver.touched
        )
        self._circuits = Circuits(stack, now_ns=self._driver.now_ns, touched=self._driver.touched)

    # -- itself -----------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Full name, such as `alice.isp-a`."""
        return self._stack.identity.name

    @property
    def address(self) -> Address:
        """The host's address."""
        return self._stack.identity.address

    @property
    def nodes(self) -> tuple[Address, ...]:
        """The nodes that it attaches to, the preferred first."""
        return self._stack.attachments.nodes

    @property
    def records(self) -> RecordSet:
        """Whom this host knows."""
        return self._stack.records

    async def lookup(self, to: str | Address, *, deadline_s: float = DEFAULT_S) -> Address:
        """Return the address of a host or group, asking the directory if it is not known here.

        Raises:
            DeadlineError: the directory did not answer in time.
            NotFoundError: its domain says that there is none.
        """
        return await self._lookups.find(to, deadline_s=deadline_s)

    def find(self, to: str | Address) -> Address:
        """Return the address that a name means, of those known here; see `lookup`.

        Raises:
            NotFoundError: no record has the name.
        """
        return self.records.find(to) if isinstance(to, str) else to

    def keep_to(self, *, avoid: Iterable[str] = (), require: Iterable[str] = ()) -> None:
        """Say by which ways all packets to other hosts go from now on; nothing lifts it again.

        It binds the choice among the ways that neighbours announce, and is no guarantee against
        nodes that lie. Where no way is left packets are dropped (`host_unreachable`).

        Args:
            avoid: Names of domains that no packet may pass.
            require: Names of domains that each must pass; with `avoid` at most 8.

        Raises:
            ConfigError: a domain is not known, or avoided and required at once.
        """
        self._stack.constraints = constraints_of(self.records.domains, avoid=avoid, require=require)

    def update(self, records: RecordSet, *, nodes: Sequence[Address] | None = None) -> None:
        """Go over to newer records: what rests on keys that count no more ends at once.

        Args:
            nodes: To attach to from now on, the preferred first; `None` keeps those it has.

        Raises:
            ConfigError: they do not know this host; the old ones stay.
        """
        self._stack.update(self._driver.now_ns(), records, nodes=nodes)
        self._driver.touched()

    def status(self) -> HostStatus:
        """Return attachments and counters."""
        undelivered = self._router.dropped + self._streams.dropped + self._lookups.dropped
        transport = self._transport
        return host_status(
            self._stack,
            transport.endpoint,
            undelivered=undelivered,
            socket_overflows=transport.overflows,
            unix_s=(transport.now_ns() + transport.unix_offset_ns()) / 1e9,
        )

    def __repr__(self) -> str:
        up = len(self._stack.attachments.up)
        return f"<Host {self.name}: {up} of {len(self._stack.attachments.nodes)} nodes up>"

    # -- life -------------------------------------------------------------------------------------

    async def attach(self, *, deadline_s: float = DEFAULT_S) -> None:
        """Call the nodes and return when the first pipe is up; the others follow.

        Raises:
            DeadlineError: no node answered.
        """
        if not self._driver.is_open:
            self._driver.open()
        names = ", ".join(self.records.name_of(node) for node in self._stack.attachments.nodes)
        async with within(deadline_s, f"answer from {names}"):
            while not self._stack.attachments.up:
                self._router.moved.clear()
                _ = await self._router.moved.wait()

    async def moved(self, *, deadline_s: float) -> None:
        """Return when the next pipe to a node comes up or goes down.

        Raises:
            DeadlineError: none did.
        """
        self._router.moved.clear()
        async with within(deadline_s, "change of attachment"):
            _ = await self._router.moved.wait()

    def close(self) -> None:
        """Leave the network; whoever waits is told. Idempotent."""
        closed = LocalError(f"the host {self.name} was closed")
        self._router.close(closed)
        self._receipts.fail(closed)
        self._lookups.close()
        self._circuits.close(closed)
        self._streams.close(closed)
        self._driver.close()

    async def __aenter__(self) -> Self:
        try:
            await self.attach()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    # -- talking ----------------------------------------------------------------------------------

    async def ping(
        self,
        to: str | Address,
        data: bytes = b"",
        *,
        deadline_s: float = 2.0,
        is_traced: bool = False,
    ) -> float:
        """Ask the stack of another host for an echo; return the round trip in seconds.

        Raises:
            DeadlineError: no answer.
            NotFoundError: no record of `to`.
        """
        name = to if isinstance(to, str) else self.records.name_of(to)
        async with within(deadline_s, f"echo from {name}"):
            address = await self.lookup(to, deadline_s=deadline_s)
            sent_ns = self._driver.now_ns()
            number = self._stack.datagrams.ping(sent_ns, address, data, is_traced=is_traced)
            self._driver.touched()
            echo = await self._router.echoes.wait(address, number)
        return (echo.now_ns - sent_ns) / 1e9

    def connection_to(self, to: str | Address) -> int:
        """Return the connection of this host's datagrams to `to`, as traces show it."""
        return self._stack.datagrams.connection_to(self.find(to))

    def datagrams(
        self, port: int = 0, *, limit_items: int = DEFAULT_ITEMS, confirms: bool = False
    ) -> DatagramChannel:
        """Open a port for datagrams; port 0 takes a free one.

        Args:
            limit_items: Datagrams that may wait to be received; further ones are dropped.
            confirms: No receipt says `delivered`: the program says `durable`, by `confirm`.

        Raises:
            ConflictError: the port is open already.
            LimitError: no port is free.
            LocalError: it is not 0 to 65_535.
        """
        own = port or self._router.free_port()
        return self._add(
            DatagramChannel(self._outbox, own, limit_items=limit_items, confirms=confirms)
        )

    def call(
        self,
        service: int,
        *,
        metadata: bytes = b"",
        connection: int | None = None,
        limit_items: int = DEFAULT_ITEMS,
    ) -> ServiceChannel:
        """Open a connection to a service.

        Args:
            metadata: The service's own header bytes of all packets sent, 0 to 255.
            connection: By default a random one.

        Raises:
            LocalError: a number out of range.
        """
        number = self._stack.draw_number() if connection is None else connection
        return self._add(
            ServiceChannel(
                self._outbox,
                Wanted(service, connection=number),
                connection=number,
                metadata=metadata,
                limit_items=limit_items,
            )
        )

    def listen(
        self, service: int, *, metadata: bytes = b"", limit_items: int = DEFAULT_ITEMS
    ) -> ServiceChannel:
        """Receive what a service sends by itself: packets whose metadata starts with `metadata`.

        What is sent on the channel carries `metadata`, on a random connection.
        """
        return self._add(
            ServiceChannel(
                self._outbox,
                Wanted(service, metadata=metadata),
                connection=self._stack.draw_number(),
                metadata=metadata,
                limit_items=limit_items,
            )
        )

    def controls(self, service: int, *, limit_items: int = DEFAULT_ITEMS) -> ControlChannel:
        """Exchange control messages with a service at the host's nodes.

        Raises:
            ConflictError: a channel for them is open already.
        """
        return self._add(ControlChannel(self._outbox, service, limit_items=limit_items))

    def send_control(self, service: int, message: bytes, *, node: Address | None = None) -> None:
        """Send a control message without a channel; see `ControlChannel.send`."""
        self._outbox.send_control(service, message, node=node)

    async def open_stream(
        self, to: str | Address, port: int, *, deadline_s: float = DEFAULT_S
    ) -> Stream:
        """Open a stream to a port of another host.

        Raises:
            DeadlineError: the host does not answer.
            LimitError: as many are open as it allows.
            StreamError: it refuses, or proves another key than its record's.
            NotFoundError: no record of `to`.
        """
        address = await self.lookup(to, deadline_s=deadline_s)
        return await self._streams.open(address, port, deadline_s=deadline_s)

    async def open_service_stream(
        self,
        service: int,
        *,
        opening: bytes = b"",
        node: Address | None = None,
        deadline_s: float = DEFAULT_S,
    ) -> Stream:
        """Open a stream to a service at one of this host's nodes.

        It goes to that node even after the host has moved to another, and ends with the pipe to it.

        Args:
            opening: What the service is told first: its own bytes, 0 to 1_024.
            node: By default the one in use.

        Raises:
            DeadlineError: the node does not answer.
            StreamError: it refuses, or proves another key than its record's.
            NotFoundError: it is none of this host's nodes, or does not offer the service.
        """
        return await self._streams.open_service(service, opening, node=node, deadline_s=deadline_s)

    async def open_circuit(
        self, exit_node: Address, *, service: int, deadline_s: float = DEFAULT_S
    ) -> Circuit:
        """Open a circuit to an exit, by the node in use, which hides this host from it.

        Raises:
            DeadlineError: the exit does not answer.
            StreamError: it refuses, proves another key than its record's, or a pipe went down.
            LimitError: as many are open as a host may have.
            LocalError: the exit is the node in use.
            NotFoundError: one of both is not known, or does not offer the (anonymous) service.
        """
        return await self._circuits.open(exit_node, service=service, deadline_s=deadline_s)

    async def explain(
        self, service: int, connection: int, *, node: Address | None = None, deadline_s: float = 2.0
    ) -> Account:
        """Return what nodes say of the newest traced packet of a connection, from `node` on.

        Args:
            node: The first that got it; by default the one in use.
        """
        first = self._stack.attachments.via if node is None else node
        return await self._receipts.explain(service, connection, node=first, deadline_s=deadline_s)

    def accept_streams(self, port: int, *, limit_items: int = 64) -> StreamListener:
        """Let other hosts open streams to a port.

        Args:
            limit_items: Streams that may wait to be accepted; further ones are refused.

        Raises:
            ConflictError: somebody listens there already.
        """
        return self._streams.listen(port, limit_items=limit_items)

    # -- inside -----------------------------------------------------------------------------------

    def _add(self, channel: ChannelT) -> ChannelT:
        self._router.add(channel)
        return channel

    def _take(self, event: HostEvent) -> None:
        match event:
            case (
                StreamConnected() | StreamLost() | StreamArrived() | StreamMoved()
                | StreamsAvailable()
            ):  # fmt: skip
                _ = self._circuits.take(event) or self._streams.take(event)
            case ContactLearned():
                self._lookups.take(event)
            case ReceiptReceived() | StatementReceived():
                self._receipts.take(event)
            case DatagramReceived():
                is_taken = self._router.take(event)
                if not (is_taken and self._router.confirms(event.port)):
                    word: Word = "delivered" if is_taken else "dropped"
                    self._stack.datagrams.acknowledge(self._driver.now_ns(), event, word)
            case _:
                _ = self._router.take(event)
