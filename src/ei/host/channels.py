"""What an application holds to talk: datagrams to other hosts, calls to services."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from ei.errors import LimitError, LocalError
from ei.host.deadlines import DEFAULT_S
from ei.host.events import ControlReceived, DatagramReceived, PacketReceived
from ei.host.inbox import Inbox
from ei.host.ranges import check_connection, check_port, check_service
from ei.sdk.packets import Address, Protection

if TYPE_CHECKING:
    from ei.host.client import Host


class Receipt(msgspec.Struct, frozen=True):
    """What is known of a datagram by its deadline.

    `delivered` is the destination's own end-to-end statement, `dropped` is the destination's or
    this host's, and without either it is `unknown`.
    """

    status: Literal["delivered", "dropped", "unknown"]
    reason: str = ""


class DatagramChannel:
    """A port of this host. Made by `Host.datagrams`; to be closed, or used by `with`."""

    def __init__(self, host: "Host", port: int, *, limit_items: int) -> None:
        check_port(port)
        self._host = host
        self.port = port
        self.inbox = Inbox[DatagramReceived](f"datagram on port {port}", limit_items=limit_items)

    def send(
        self, to: str | Address, data: bytes, *, port: int | None = None, is_traced: bool = False
    ) -> None:
        """Send a datagram and forget it: at most once, without order.

        Args:
            to: Name or address of a host.
            data: 0 to 1_267 bytes.
            port: At `to`; by default the same as this one.

        Raises:
            NotFoundError: no record of `to`.
            LimitError: too long.
        """
        _ = self._host.send_datagram(self, to, data, port=port, is_traced=is_traced)

    async def send_with_receipt(
        self,
        to: str | Address,
        data: bytes,
        *,
        port: int | None = None,
        deadline_s: float = DEFAULT_S,
    ) -> Receipt:
        """Send a datagram and say what became of it by the deadline; see `send`."""
        return await self._host.send_for_receipt(self, to, data, port=port, deadline_s=deadline_s)

    async def receive(self, *, deadline_s: float = DEFAULT_S) -> DatagramReceived:
        """Return the next datagram.

        Raises:
            DeadlineError: none came.
            LocalError: the channel is closed.
        """
        return await self.inbox.get(deadline_s=deadline_s)

    def close(self) -> None:
        """Give the port back. Idempotent."""
        self._host.release(self)
        self.inbox.close(LocalError(f"the channel on port {self.port} is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


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


class ServiceChannel:
    """A connection to a service, or a listener for what a service sends by itself.

    Made by `Host.call` and `Host.listen`; to be closed, or used by `with`.

    Attributes:
        connection: Number of the packets that it sends.
        metadata: The service's own header bytes of the packets that it sends.
    """

    def __init__(
        self, host: "Host", wanted: Wanted, *, connection: int, metadata: bytes, limit_items: int
    ) -> None:
        self._host = host
        self.wanted = wanted
        self.connection = connection
        self.metadata = metadata
        name = f"packet of service {wanted.service}"
        self.inbox = Inbox[PacketReceived](name, limit_items=limit_items)

    def send(  # noqa: PLR0913 as many as a packet has fields
        self,
        *payloads: bytes,
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
        return self._host.send_packets(
            self.wanted.service,
            list(payloads),
            connection=self.connection,
            metadata=self.metadata if metadata is None else metadata,
            protection=protection,
            is_covered=is_covered,
            traffic_class=traffic_class,
            is_traced=is_traced,
            node=node,
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

    async def receive(self, *, deadline_s: float = DEFAULT_S) -> PacketReceived:
        """Return the next packet.

        Raises:
            DeadlineError: none came.
            LocalError: the channel is closed.
        """
        return await self.inbox.get(deadline_s=deadline_s)

    def close(self) -> None:
        """Stop to receive. Idempotent."""
        self._host.release(self)
        self.inbox.close(LocalError(f"the channel to service {self.wanted.service} is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ControlChannel:
    """Control messages of one service at the host's nodes. Made by `Host.controls`."""

    def __init__(self, host: "Host", service: int, *, limit_items: int) -> None:
        check_service(service)
        self._host = host
        self.service = service
        name = f"control message of service {service}"
        self.inbox = Inbox[ControlReceived](name, limit_items=limit_items)

    def send(self, message: bytes, *, node: Address | None = None) -> None:
        """Send a message, reliably and in order, to the service at `node` (the one in use)."""
        self._host.send_control(self.service, message, node=node)

    async def receive(self, *, deadline_s: float = DEFAULT_S) -> ControlReceived:
        """Return the next message.

        Raises:
            DeadlineError: none came.
            LocalError: the channel is closed.
        """
        return await self.inbox.get(deadline_s=deadline_s)

    def close(self) -> None:
        """Stop to receive. Idempotent."""
        self._host.release(self)
        self.inbox.close(LocalError(f"the control channel of service {self.service} is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
