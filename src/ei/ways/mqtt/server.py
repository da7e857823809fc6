"""The port of `ei gateway mqtt`: connections are handed to the broker, once there is one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from ei.daemons.clients import Clients
from ei.daemons.log import Log
from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.ways.accepting import Listener, listen
from ei.ways.ends import TcpEnd, part
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.client import Client
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.system import MqttStatus

DEFAULT_LISTEN = "127.0.0.1:1883"
PROBE_S = 60
"""A client that says nothing is asked by TCP, after so long, whether its machine is there."""


class MqttServer:
    """Listens, and serves each connection by a `Client`; see `listening`.

    Args:
        name: Of the host.
        listen: Endpoint; port 0 takes any.
    """

    def __init__(self, name: str, *, listen: str, limits: MqttLimits, log: Log) -> None:
        self._name = name
        self._listen = listen
        self._limits = limits
        self._log = log
        self._clients = Clients()
        self._broker: Broker | None = None
        self._ready = asyncio.Event()
        self._listener: Listener | None = None
        self.endpoint = listen

    def __repr__(self) -> str:
        return f"<MqttServer {self.endpoint}: {len(self._clients)} open>"

    def status(self) -> MqttStatus:
        """Return counts."""
        if self._broker is None:
            return MqttStatus(self._name, self.endpoint)
        return self._broker.status(self.endpoint)

    async def answer(self, request: Request) -> AsyncIterator[Answer]:
        """Answer the admin verb `mqtt`."""
        _ = arguments_of(request, NoArguments)
        yield to_answer(self.status(), schema="ei.mqtt-status/1")

    def serve_by(self, broker: Broker) -> None:
        """Serve those who came, and all who come."""
        self._broker = broker
        self._ready.set()

    async def open(self) -> None:
        """Start to listen.

        Raises:
            EiError: the endpoint cannot be had: why, and what to do.
        """
        self._listener = listen(self._listen, self._serve, what="mqtt", log=self._log)
        self.endpoint = self._listener.endpoint

    async def close(self) -> None:
        """Take no new connections, and tell those that are open. Idempotent."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        if self._broker is not None:
            await self._broker.close()
        await self._clients.wait(self._limits.grace_s)
        await self._clients.hang_up()

    async def _serve(self, end: TcpEnd) -> None:
        try:
            with self._clients.serving():
                end.probe(PROBE_S)
                broker = await self._admit()
                if broker is not None:
                    broker.endings[await Client(end, broker).serve()] += 1
                    await part(end)
        finally:
            await end.close()

    async def _admit(self) -> Broker | None:
        """Return who serves a connection; `None`: nobody can."""
        if len(self._clients) > self._limits.connections:
            self._log.warn("too many connections", allowed=self._limits.connections)
            if self._broker is not None:
                self._broker.endings["busy"] += 1
            return None
        try:
            async with asyncio.timeout(self._limits.first_s):
                _ = await self._ready.wait()
        except TimeoutError:
            self._log.warn("no pub/sub yet", waited_s=self._limits.first_s)
        return self._broker


@asynccontextmanager
async def listening(server: MqttServer) -> AsyncGenerator[MqttServer]:
    """Listen while the block runs.

    Raises:
        EiError: as `MqttServer.open`.
    """
    await server.open()
    try:
        yield server
    finally:
        await server.close()
