"""Circuits of an asyncio program: streams from an exit that does not know this host.

circuit = await host.open_circuit(exit_node, service=68)
stream = await circuit.open_stream(b"what for")
"""

import asyncio
from collections.abc import Callable
from typing import Self

from ei.errors import EiError, LocalError, StreamError
from ei.host.deadlines import DEFAULT_S, within
from ei.host.events import StreamConnected, StreamLost
from ei.host.finding import service_key
from ei.host.ranges import check_service
from ei.host.stack import Stack
from ei.host.stream_connections import StreamConnections
from ei.host.stream_ports import ConnectionKey
from ei.host.stream_routing import StreamEvent, StreamRouter
from ei.host.streams import Stream
from ei.records.addresses import format_address
from ei.sdk.packets import Address


class Circuit:
    """One circuit. Made by `Host.open_circuit`.

    Attributes:
        node: That hides this host; its pipe down, the circuit is lost.
        exit: Where the circuit ends.
        connection: Number of its packets up to `node`, as traces show it.
        service: That carries it.
    """

    def __init__(  # noqa: PLR0913 where it is, what it is over, who is told
        self,
        key: ConnectionKey,
        streams: StreamRouter,
        connections: StreamConnections,
        *,
        node: Address,
        service: int,
        end: Callable[[], None],
    ) -> None:
        self.exit, self.connection = key
        self.node = node
        self.service = service
        self._key = key
        self._streams = streams
        self._connections = connections
        self._end = end
        self._loss: StreamError | None = None
        self._when_lost: list[Callable[[StreamError], None]] = []
        self._lost = asyncio.Event()
        self._news = asyncio.Event()
        self._is_up = False
        self._is_closed = False

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed" if self._loss is None else self._loss.kind
        return f"<Circuit to {format_address(self.exit)} by {format_address(self.node)}: {state}>"

    @property
    def is_open(self) -> bool:
        """Whether streams can be opened on it."""
        return self._is_up and self._loss is None and not self._is_closed

    @property
    def streams(self) -> int:
        """How many of its streams somebody holds that have not ended."""
        return len(self._streams)

    def statistics(self) -> dict[str, int]:
        """Return counters and gauges of its connections."""
        return self._connections.statistics()

    async def open_stream(self, opening: bytes = b"", *, deadline_s: float = DEFAULT_S) -> Stream:
        """Open a stream to the service at the exit.

        Args:
            opening: What the service is told first: its own bytes, 0 to 1_024.

        Raises:
            DeadlineError: the exit does not answer.
            LimitError: as many are open as it allows.
            StreamError: the circuit is lost.
            LocalError: it was closed, or the opening is too long.
        """
        if self._loss is not None:
            raise self._loss
        if self._is_closed:
            raise LocalError("the circuit was closed")
        return await self._streams.open_at(self.exit, self.service, opening, deadline_s=deadline_s)

    def watch(self, when_lost: Callable[[StreamError], None]) -> None:
        """Have it told why, once, when the circuit is lost; at once if it is. Not by `close`."""
        if self._loss is not None:
            when_lost(self._loss)
        else:
            self._when_lost.append(when_lost)

    async def lost(self) -> StreamError:
        """Return why it was lost, once it is; without end if it is closed before."""
        _ = await self._lost.wait()
        assert self._loss is not None  # noqa: S101 that is what the event says
        return self._loss

    def close(self) -> None:
        """End it, its streams with it. Idempotent."""
        self._close(LocalError("the circuit was closed"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    # -- for the host -----------------------------------------------------------------------------

    async def up(self) -> None:
        """Return once the exit has proved its key; raises `StreamError` when it is lost before."""
        while not self._is_up:
            if self._loss is not None:
                raise self._loss
            self._news.clear()
            _ = await self._news.wait()

    def take(self, event: StreamEvent) -> None:
        """Take note of an event."""
        _ = self._streams.take(event)
        if isinstance(event, StreamConnected):
            self._is_up = True
        elif isinstance(event, StreamLost) and self._loss is None and not self._is_closed:
            loss = StreamError(f"the circuit is lost: {event.text}", kind=event.kind)
            self._loss = loss
            self._close(loss)
            self._lost.set()
            watching, self._when_lost = self._when_lost, []
            for when_lost in watching:
                when_lost(loss)
        self._news.set()

    def fail(self, error: EiError) -> None:
        """The host was closed; whoever waits is told."""
        self._close(error)

    def _close(self, error: EiError) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._streams.close(error)
            self._end()


class Circuits:
    """The circuits of one host.

    Args:
        now_ns: Reads the clock.
        touched: Called after the stack was given something to send.
    """

    def __init__(
        self, stack: Stack, *, now_ns: Callable[[], int], touched: Callable[[], None]
    ) -> None:
        self._stack = stack
        self._now_ns = now_ns
        self._touched = touched
        self._circuits: dict[ConnectionKey, Circuit] = {}

    async def open(self, exit_node: Address, *, service: int, deadline_s: float) -> Circuit:
        """Open a circuit; see `Host.open_circuit`."""
        check_service(service)
        records, node = self._stack.records, self._stack.attachments.via
        if exit_node == node:
            name = records.name_of(node)
            raise LocalError(f"{name} is the node in use, and would know both: take another exit")
        _ = service_key(records, node, service)
        circuit = self._begin(exit_node, node=node, service=service)
        try:
            async with within(deadline_s, f"circuit to {records.name_of(exit_node)}"):
                await circuit.up()
        except BaseException:
            circuit.close()
            raise
        return circuit

    def take(self, event: StreamEvent) -> bool:
        """Hand an event to the circuit that it is of; return whether it is of one."""
        circuit = self._circuits.get((event.peer, event.connection))
        if circuit is not None:
            circuit.take(event)
        return circuit is not None

    def close(self, error: EiError) -> None:
        """Close all; whoever waits is told."""
        for circuit in list(self._circuits.values()):
            circuit.fail(error)

    def _begin(self, exit_node: Address, *, node: Address, service: int) -> Circuit:
        key, connections = self._stack.circuits.open(
            self._now_ns(), exit_node, service=service, node=node
        )
        streams = StreamRouter(self._stack, connections, now_ns=self._now_ns, touched=self._touched)
        circuit = Circuit(
            key, streams, connections, node=node, service=service, end=lambda: self._end(key)
        )
        self._circuits[key] = circuit
        self._touched()
        return circuit

    def _end(self, key: ConnectionKey) -> None:
        _ = self._circuits.pop(key, None)
        self._stack.circuits.end(self._now_ns(), key)
        self._touched()
