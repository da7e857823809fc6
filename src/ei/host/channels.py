"""What an application holds to talk: datagrams to other hosts, calls to services."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from ei.errors import LimitError, LocalError
from ei.host.deadlines import DEFAULT_S
from ei.host.events import ControlReceived, DatagramReceived, PacketReceived
from ei.host.inbox import Inbox
from ei.host.outbox import Outbox
from ei.host.ranges import check_connection, check_port, check_service
from ei.host.verdicts import Receipt
from ei.sdk.packets import Address, Protection

ItemT = TypeVar("ItemT")


class _Receiver(Generic[ItemT]):
    """The receiving side of a channel; to be closed, or used by `with`.

    Args:
        awaited: What it receives, such as `datagram on port 7`.
        name: What is closed, such as `channel on port 7`.
        release: Called when it closes.
    """

    def __init__(
        self, awaited: str, name: str, *, release: Callable[[], None], limit_items: int
    ) -> None:
        self._name = name
        self._release = release
        self.inbox = Inbox[ItemT](awaited, limit_items=limit_items)

    async def receive(self, *, deadline_s: float = DEFAULT_S) -> ItemT:
        """Return the next that came.

        Raises:
            DeadlineError: none came.
            LocalError: the channel is closed.
        """
        return await self.inbox.get(deadline_s=deadline_s)

    def close(self) -> None:
        """Stop to receive, and free its place for another. Idempotent."""
        self._release()
        self.inbox.close(LocalError(f"the {self._name} is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class DatagramChannel(_Receiver[DatagramReceived]):
    """A port of this host. Made by `Host.datagrams`.

    Attributes:
        confirms: Whether the program says by `confirm` what it keeps; else each datagram that waits
            to be received is delivered.
    """

    def __init__(
        self, outbox: Outbox, port: int, *, limit_items: int, confirms: bool = False
    ) -> None:
        check_port(port)
        super().__init__(
            f"datagram on port {port}",
            f"channel on port {port}",
            release=lambda: outbox.release(self),
            limit_items=limit_items,
        )
        self._outbox = outbox
        self.port = port
        self.confirms = confirms

    async def send(
        self,
        to: str | Address,
        data: bytes,
        *,
        port: int | None = None,
        deadline_s: float = DEFAULT_S,
    ) -> Receipt:
        """Send a datagram and say what became of it, by the deadline: at most once, without order.

        Args:
            to: Name or address of a host.
            data: 0 to 1_267 bytes.
            port: At `to`; by default the same as this one.

        Raises:
            NotFoundError: no record of `to`.
            LimitError: too long.
        """
        return await self._outbox.send_message(self, to, data, port=port, deadline_s=deadline_s)

    def try_send(
        self, to: str | Address, data: bytes, *, port: int | None = None, is_traced: bool = False
    ) -> bool:
        """Send a datagram and forget it; see `send`.

        Returns:
            Whether it was taken: not while too much waits for the destination or for the node.
        """
        return self._outbox.send_datagram(self, to, data, port=port, is_traced=is_traced)

    def confirm(self, datagram: DatagramReceived) -> None:
        """State to the sender, if it asked, that nothing will lose this datagram any more.

        To be called after what it says is in stable storage; see `Host.datagrams`.
        """
        self._outbox.confirm(datagram)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which packets of a service a channel gets: those of its connection, or those that match."""

    service: int
    connection: int | None = None
    metadata: bytes = b""

    def __post_init__(self) -> None:
        check_service(self.service)
        if self.connection is not None:
            check_connection(self.connection)

    def is_met(self, packet: PacketReceived) -> bool:
        """Return whether the channel gets `packet`."""
        if self.connection is not None:
            return packet.connection == self.connection
        return packet.metadata.startswith(self.metadata)


class ServiceChannel(_Receiver[PacketReceived]):
    """A connection to a service, or a listener for what a service sends by itself.

    Made by `Host.call` and `Host.listen`.

    Attributes:
        connection: Number of the packets that it sends.
        metadata: The service's own header bytes of the packets that it sends.
    """

    def __init__(
        self, outbox: Outbox, wanted: Wanted, *, connection: int, metadata: bytes, limit_items: int
    ) -> None:
        super().__init__(
            f"packet of service {wanted.service}",
            f"channel to service {wanted.service}",
            release=lambda: outbox.release(self),
            limit_items=limit_items,
        )
        self._outbox = outbox
        self.wanted = wanted
        self.connection = connection
        self.metadata = metadata

    def send(  # noqa: PLR0913 as many as a packet has fields
        self,
        *payloads: bytes,
        connection: int | None = None,
        metadata: bytes | None = None,
        protection: Protection = Protection.NONE,
        is_covered: bool = True,
        traffic_class: int = 0,
        is_traced: bool = False,
        node: Address | None = None,
    ) -> int:
        """Send packets; return how many the host's pipe took. See `Stack.call`.

        Raises:
            LimitError: a payload is too long.
        """
        return self._outbox.send_packets(
            self.wanted.service,
            list(payloads),
            connection=self.connection if connection is None else connection,
            metadata=self.metadata if metadata is None else metadata,
            protection=protection,
            is_covered=is_covered,
            traffic_class=traffic_class,
            is_traced=is_traced,
            node=node,
        )

    async def fate(self, *, node: Address | None = None, deadline_s: float = 2.0) -> Receipt:
        """Return what became of the newest traced packet of this channel, as nodes say.

        Args:
            node: Where it was sent; by default the node in use.
        """
        return await self._outbox.fate(
            self.wanted.service, self.connection, node=node, deadline_s=deadline_s
        )

    async def ask(self, payload: bytes, *, deadline_s: float = DEFAULT_S) -> PacketReceived:
        """Send one packet and return the next that comes.

        Raises:
            LimitError: the host's pipe takes nothing more now.
            DeadlineError: none came.
        """
        if self.send(payload) == 0:
            raise LimitError("the pipe to the node takes nothing more now")
        return await self.receive(deadline_s=deadline_s)


class ControlChannel(_Receiver[ControlReceived]):
    """Control messages of one service at the host's nodes. Made by `Host.controls`."""

    def __init__(self, outbox: Outbox, service: int, *, limit_items: int) -> None:
        check_service(service)
        super().__init__(
            f"control message of service {service}",
            f"control channel of service {service}",
            release=lambda: outbox.release(self),
            limit_items=limit_items,
        )
        self._outbox = outbox
        self.service = service

    def send(self, message: bytes, *, node: Address | None = None) -> None:
        """Send a message, reliably and in order, to the service at `node` (the one in use)."""
        self._outbox.send_control(self.service, message, node=node)
