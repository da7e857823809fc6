r"""The relay on a host: streams to legacy servers by two nodes, of which neither knows both ends.

async with relaying(host, exit=lambda tried: an_exit) as relay:
    stream = await relay.open("www.example.org", 80)
    await stream.write(b"GET / HTTP/1.0\r\n\r\n")
    page = await stream.read_all()

A circuit is opened when it is needed, and another one when it is lost, old, or has carried much.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import Literal

from ei.errors import EiError, IntegrityError, StreamError
from ei.host.circuits import Circuit
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S, within
from ei.host.streams import Stream
from ei.sdk import Address, Legacy
from ei.services.relay.circuits import eight
from ei.services.relay.client_node import NodeTalk
from ei.services.relay.client_purse import check_alike
from ei.services.relay.client_streams import (
    OF_CIRCUIT,
    OF_TOKEN,
    ask,
    begin,
    error_of,
    expect,
    no_circuit,
)
from ei.services.relay.forwarding import RELAY
from ei.services.relay.messages import Admission, Ended, KeysOf, To, grant_of_token
from ei.services.relay.tokens import key_id
from ei.services.termination.client import check_port, written

TRY_S = 2.0
"""For one step of a circuit: then another exit is tried."""
MARGIN_S = 5.0
"""Before a token is over another circuit is used."""
MOST_STREAMS = 1_000
"""A circuit carries no more, one after the other: then the exit is to see another stranger."""
MOST_PAST = 64
"""Circuits that are known to have been, since of them nodes may still say something."""
LOST_S = 10.0
"""So long an exit that was lost is tried last."""
OF_EXIT = frozenset({"hop_lost", "timed_out", "exit_unreachable"})
"""Kinds of the loss of a circuit that is lost behind the first node."""
TRIES = 3
"""Times that a stream is opened, when the circuit turns out to be gone."""


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """What there is of a relay.

    Attributes:
        is_up: There is a circuit for new streams.
        node, exit: Its two nodes, or those of the last one.
        why_not: While there is none: why, for people.
        circuits: That there were.
    """

    is_up: bool
    node: Address | None
    exit: Address | None
    why_not: str
    circuits: int


@asynccontextmanager
async def relaying(
    host: Host,
    *,
    exit: Callable[[frozenset[Address]], Address],  # noqa: A002 the word of the design
    unix_s: Callable[[], float] = time.time,
) -> AsyncGenerator["PrivateRelay"]:
    """Have a relay as long as the context lasts.

    Args:
        host: Attached.
        exit: Returns the exit to use, none of those that were tried just now; raises `DeniedError`
            when there is no other.
        unix_s: The wall clock.
    """
    relay = PrivateRelay(host, exit=exit, unix_s=unix_s)
    try:
        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(relay.hear(), name="relay: what nodes say")
            try:
                yield relay
            finally:
                _ = hearing.cancel()
    except ExceptionGroup as group:
        for each in group.exceptions:  # what the block raises is raised as it is
            raise each from None
        raise
    finally:
        relay.close()


@dataclass(eq=False, slots=True)
class Line:
    """A circuit for streams, and what is left of it (seconds of the event loop)."""

    circuit: Circuit
    until_s: float
    grant: bytes
    streams: int = 0
    loss: str = ""

    def is_good(self, now_s: float) -> bool:
        """Return whether it is for new streams."""
        is_left = self.streams < MOST_STREAMS and now_s < self.until_s
        return self.circuit.is_open and not self.loss and is_left


@dataclass(eq=False, slots=True)
class Attempt:
    """A circuit that is being opened, until a node on the way says that there is none to be had."""

    exit: Address
    scope: asyncio.Timeout
    word: str = ""


class PrivateRelay:
    """Opens streams to legacy servers, by the host's node and an exit of another operator.

    Made by `relaying`, whose arguments it has.
    """

    def __init__(
        self,
        host: Host,
        *,
        exit: Callable[[frozenset[Address]], Address],  # noqa: A002 the word of the design
        unix_s: Callable[[], float],
    ) -> None:
        self._host = host
        self._exit = exit
        self._controls = host.controls(RELAY)
        self._node = NodeTalk(self._controls, self._hear_end, unix_s=unix_s, random=SystemRandom())
        self._turn = asyncio.Lock()
        self._line: Line | None = None
        self._old: list[Line] = []
        self._past: deque[bytes] = deque(maxlen=MOST_PAST)
        self._attempt: Attempt | None = None
        self._lost: dict[Address, float] = {}
        self._alike: set[tuple[Address, Address, bytes]] = set()
        self._circuits = 0
        self._why_not = "nobody needed a circuit yet"
        self._last: tuple[Address, Address] | None = None

    def __repr__(self) -> str:
        return f"<PrivateRelay {self.status()}>"

    async def hear(self) -> None:
        """Take what nodes say, until it is cancelled."""
        await self._node.hear()

    def status(self) -> RelayStatus:
        """Return which nodes there are, and whether there is a circuit."""
        is_up = self._line is not None and self._line.is_good(_now_s())
        node, exit_node = self._last or (None, None)
        return RelayStatus(is_up, node, exit_node, "" if is_up else self._why_not, self._circuits)

    def close(self) -> None:
        """End all circuits, with their streams. Idempotent."""
        if self._line is not None:
            self._old.append(self._line)
        lines, self._line, self._old = self._old, None, []
        for line in lines:
            self._end(line.circuit)
        self._controls.close()

    async def ready(self, *, deadline_s: float = DEFAULT_S) -> None:
        """Return once there is a circuit for streams.

        Raises:
            DeniedError: There is no exit, or nobody admits this host.
            IntegrityError: The node in use has keys of its own for this host.
            EiError: There is none: why.
        """
        async with within(deadline_s, "circuit to an exit"):
            _ = await self._good_line()

    async def open(
        self,
        name: str,
        port: int,
        *,
        transport: Literal["tcp", "udp"] = "tcp",
        first: bytes = b"",
        deadline_s: float = DEFAULT_S,
    ) -> Stream:
        """Open a stream to a server of the legacy Internet.

        With `udp` each datagram is `length u16 little-endian | datagram` on the stream, both ways.

        Args:
            name: Of the server, or its address as text; the exit resolves it.
            port: 1 to 65_535.
            transport: That the server speaks.
            first: Bytes for the server that do not wait for its answer.
            deadline_s: Until the server has answered.

        Raises:
            DeniedError: The exit's operator does not allow it; or as `ready`.
            UnreachableError: It cannot be reached, or has no address.
            StreamError: It refuses, or something between broke; `kind` is the word of the status.
            DeadlineError: It does not answer in time.
            LocalError: Name or port is none.
        """
        check_port(port)
        target = Legacy(written(name), port, transport)
        async with within(deadline_s, f"connection to {name} port {port}"):
            for tries_left in reversed(range(TRIES)):
                line = await self._good_line()
                line.streams += 1
                opening = To(target, line.grant)
                try:
                    stream, status = await begin(
                        line.circuit, opening, first, deadline_s=deadline_s
                    )
                except StreamError as error:
                    # The server may have what came first: not twice.
                    if first or not tries_left:
                        raise
                    self._lose(line, error)
                    continue
                if not status.word:
                    return stream
                stream.abort()
                if status.word not in OF_CIRCUIT or not tries_left:
                    raise error_of(status)
                self._lose(line, error_of(status))
        raise AssertionError("the last try returns or raises")

    # -- circuits ---------------------------------------------------------------------------------

    async def _good_line(self) -> Line:
        """Return a circuit that has much left, a new one if need be."""
        async with self._turn:
            line = self._line
            if line is not None and line.is_good(_now_s()):
                return line
            if line is not None:
                self._retire(line)
            try:
                self._line = await self._new_line()
            except EiError as error:
                self._why_not = str(error)
                raise
            return self._line

    async def _new_line(self) -> Line:
        """Open a circuit to the first exit that lets one be opened."""
        tried: dict[Address, EiError] = {}
        while True:
            try:
                exit_node = self._next_exit(frozenset(tried))
            except EiError as error:
                raise next(reversed(tried.values()), error) from None
            try:
                return await self._open_line(exit_node)
            except IntegrityError:
                raise
            except EiError as error:
                tried[exit_node] = error

    def _next_exit(self, tried: frozenset[Address]) -> Address:
        """Return the exit to try; one that was lost just now is likely to be lost still."""
        now_s = _now_s()
        self._lost = {each: at_s for each, at_s in self._lost.items() if now_s - at_s < LOST_S}
        if self._lost:
            with suppress(EiError):
                return self._exit(tried | self._lost.keys())
        return self._exit(tried)

    async def _open_line(self, exit_node: Address) -> Line:
        circuit = await self._open_circuit(exit_node)
        try:
            line = await self._admit(circuit)
        except BaseException:
            self._end(circuit)
            raise
        circuit.watch(lambda error: self._lose(line, error))
        self._circuits += 1
        self._last = (circuit.node, circuit.exit)
        return line

    async def _open_circuit(self, exit_node: Address) -> Circuit:
        """Open a circuit, unless a node on the way says why there is none to be had."""
        attempt = self._attempt = Attempt(exit_node, asyncio.timeout(None))
        try:
            async with attempt.scope:
                return await self._host.open_circuit(exit_node, service=RELAY, deadline_s=TRY_S)
        except TimeoutError:
            if not attempt.word:
                raise
            raise no_circuit(attempt.word) from None
        finally:
            self._attempt = None

    async def _admit(self, circuit: Circuit) -> Line:
        """Show a token, and return what there is for it."""
        issuer, exit_node = circuit.node, circuit.exit
        for is_last in (False, True):
            key = await self._node.key_of(issuer)
            await self._check_alike(circuit, key)
            token = await self._node.token(issuer, key, exit_node)
            status = await ask(circuit, Admission(issuer, token), deadline_s=TRY_S)
            if status.word in OF_TOKEN and not is_last:
                # The exit has begun anew, or the key is at its end: once more, with all of it new.
                self._node.forget(issuer, key, exit_node)
                continue
            until_s = _now_s() + expect(status).lasts_s - MARGIN_S
            return Line(circuit, until_s, grant_of_token(token))
        raise AssertionError("the last try returns or raises")

    async def _check_alike(self, circuit: Circuit, key: bytes) -> None:
        """Make sure that the exit was told of the same key as this host."""
        checked = (circuit.node, circuit.exit, key)
        if checked not in self._alike:
            asked = KeysOf(circuit.node, key_id(key))
            check_alike(key, expect(await ask(circuit, asked, deadline_s=TRY_S)).keys)
            self._alike.add(checked)

    def _retire(self, line: Line) -> None:
        """Let its streams go on, and end those circuits whose have ended."""
        self._line = None
        self._old.append(line)
        for old in list(self._old):
            if not old.circuit.is_open or not old.circuit.streams:
                self._old.remove(old)
                self._end(old.circuit)

    def _lose(self, line: Line, error: EiError) -> None:
        if isinstance(error, StreamError) and error.kind in OF_EXIT and not line.loss:
            self._lost[line.circuit.exit] = _now_s()
        line.loss = line.loss or str(error)
        self._why_not = line.loss

    def _end(self, circuit: Circuit) -> None:
        connection, is_open = eight(circuit.connection), circuit.is_open
        self._past.append(connection)
        circuit.close()
        if is_open:  # behind QUIC's own word to the exit, which would bring the circuit forth again
            ended = Ended(self._host.address, connection, circuit.exit, "closed")
            self._node.tell(ended, circuit.node)

    def _hear_end(self, node: Address, ended: Ended) -> None:
        """Take a node's word that a circuit has ended, or cannot be."""
        lines = [*self._old] if self._line is None else [self._line, *self._old]
        for line in lines:
            circuit = line.circuit
            is_it = (circuit.node, circuit.exit) == (node, ended.exit)
            if is_it and eight(circuit.connection) == ended.connection:
                self._lose(line, no_circuit(ended.word))
                self._past.append(ended.connection)
                circuit.close()
                return
        is_past = ended.connection in self._past
        if self._attempt is not None and self._attempt.exit == ended.exit and not is_past:
            self._attempt.word = ended.word
            self._attempt.scope.reschedule(_now_s())


def _now_s() -> float:
    return asyncio.get_running_loop().time()
