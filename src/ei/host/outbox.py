"""What channels send by: the stack of their host, with names looked up and fates awaited."""

from typing import TYPE_CHECKING

from ei.errors import DeadlineError
from ei.host.driver import Driver
from ei.host.events import DatagramReceived
from ei.host.lookups import Lookups
from ei.host.receipts import Receipts
from ei.host.stack import Stack
from ei.host.verdicts import Receipt, judge
from ei.sdk.packets import Address, Protection

if TYPE_CHECKING:
    from ei.host.channels import DatagramChannel
    from ei.host.routing import Channel, Router


class Outbox:
    """The sending side of all channels of one host; each method is documented at its channel."""

    def __init__(
        self,
        stack: Stack,
        driver: Driver,
        router: "Router",
        *,
        lookups: Lookups,
        receipts: Receipts,
    ) -> None:
        self._stack = stack
        self._driver = driver
        self._router = router
        self._lookups = lookups
        self._receipts = receipts

    def send_datagram(
        self,
        channel: "DatagramChannel",
        to: str | Address,
        data: bytes,
        *,
        port: int | None,
        is_traced: bool = False,
    ) -> bool:
        """Send for a channel; see `DatagramChannel.try_send`."""
        self._stack.datagrams.check_room(data)

        def send(address: Address) -> bool:
            is_taken = self._stack.datagrams.send(
                self._driver.now_ns(),
                address,
                data,
                port=channel.port if port is None else port,
                source_port=channel.port,
                is_traced=is_traced,
            )
            self._driver.touched()
            return is_taken

        return self._lookups.then(to, send)

    async def send_message(
        self,
        channel: "DatagramChannel",
        to: str | Address,
        data: bytes,
        *,
        port: int | None,
        deadline_s: float,
    ) -> Receipt:
        """Send for a channel; see `DatagramChannel.send`."""
        ends_s = self._driver.now_ns() / 1e9 + deadline_s
        try:
            address = await self._lookups.find(to, deadline_s=deadline_s)
        except DeadlineError:
            return Receipt("dropped", "no_answer", self._stack.identity.name)
        message = self._stack.datagrams.send_message(
            self._driver.now_ns(),
            address,
            data,
            port=channel.port if port is None else port,
            source_port=channel.port,
        )
        left_s = ends_s - self._driver.now_ns() / 1e9
        return await self._receipts.of(message, deadline_s=left_s)

    def confirm(self, datagram: DatagramReceived) -> None:
        """Say for a channel what it keeps; see `DatagramChannel.confirm`."""
        self._stack.datagrams.acknowledge(self._driver.now_ns(), datagram, "durable")
        self._driver.touched()

    async def fate(
        self, service: int, connection: int, *, node: Address | None, deadline_s: float
    ) -> Receipt:
        """Ask for a channel; see `ServiceChannel.fate`."""
        first = self._stack.attachments.via if node is None else node
        account = await self._receipts.explain(
            service, connection, node=first, deadline_s=deadline_s
        )
        return judge(account, self._stack.records)

    def send_packets(  # noqa: PLR0913 as many as a packet has fields
        self,
        service: int,
        payloads: list[bytes],
        *,
        connection: int,
        metadata: bytes,
        protection: Protection,
        is_covered: bool,
        traffic_class: int,
        is_traced: bool,
        node: Address | None,
    ) -> int:
        """Send for a channel; see `ServiceChannel.send`."""
        taken = self._stack.calling.call(
            self._driver.now_ns(),
            service,
            payloads,
            connection=connection,
            metadata=metadata,
            protection=protection,
            is_covered=is_covered,
            traffic_class=traffic_class,
            is_traced=is_traced,
            node=node,
        )
        self._driver.touched()
        return taken

    def send_control(self, service: int, message: bytes, *, node: Address | None = None) -> None:
        """Send for a channel; see `ControlChannel.send`."""
        self._stack.calling.send_control(self._driver.now_ns(), service, message, node=node)
        self._driver.touched()

    def release(self, channel: "Channel") -> None:
        """Forget a channel that closes. Idempotent."""
        self._router.remove(channel)
