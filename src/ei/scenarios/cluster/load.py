"""The load of the scenario: clients that write, read and add, and what they were told."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Literal

import msgspec

from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.host.client import Host
from ei.lab.histories import Operation
from ei.lab.lab import Lab
from ei.lab.seeds import derive_number
from ei.scenarios.cluster.services.register.service import Answer, Request
from ei.sdk.packets import Address

REGISTER = 4026531842
SET = "all"
CLIENTS_A_HOST = 2
PATIENCE_S = 0.25
"""A client that waits for long for a dead owner notices late that there is another."""
PAUSE_S = 0.005
AFTER_S = 5.0
"""For so long after a fault the acknowledgements are looked at."""

Kind = Literal["write", "read", "add", "list"]


@dataclass(slots=True)
class Load:
    """What the clients saw, so far."""

    history: list[Operation] = field(default_factory=list[Operation])
    is_over: bool = False

    @property
    def done(self) -> list[Operation]:
        """What was acknowledged."""
        return [each for each in self.history if each.outcome == "done"]

    def gap_s(self, fault_s: float, until_s: float) -> float:
        """Return the longest time without an acknowledged write that ends after a fault."""
        ended = sorted(each.ended_s for each in self.done if each.kind in {"write", "add"})
        gaps = [
            after - before
            for before, after in pairwise([*ended, until_s])
            if after > fault_s and before < min(fault_s + AFTER_S, until_s)
        ]
        return round(max(gaps, default=until_s - fault_s), 3)


@asynccontextmanager
async def loaded(lab: Lab, hosts: list[Host]) -> AsyncGenerator[Load]:
    """Load the service from all hosts for as long as the context lasts."""
    load = Load()
    async with asyncio.TaskGroup() as group:
        for host in hosts:
            nodes = [host.find(node) for node in lab.topology.hosts[host.name].nodes]
            for number in range(CLIENTS_A_HOST):
                randomness = Random(derive_number(lab.seed, "client", host.name, str(number)))
                name = f"{host.name}.{number}"
                client = _Client(lab, host, name, nodes)
                _ = group.create_task(client.run(load, randomness))
        try:
            yield load
        finally:
            load.is_over = True


async def list_all(host: Host, *, limit_s: float = 10.0) -> frozenset[str]:
    """Return all values of the set.

    Raises:
        DeadlineError: nobody serves it.
    """
    found: list[str] = []
    with host.call(REGISTER) as channel:
        number = 0
        while True:
            number += 1
            after = found[-1] if found else ""
            answer = await _insist(channel, Request(number, "list", SET, after), limit_s)
            if not answer.values:
                return frozenset(found)
            found += answer.values


async def read_again(lab: Lab, host: Host, load: Load, *, limit_s: float = 10.0) -> None:
    """Read every register once more, and the set, into the history."""
    keys = sorted({each.key for each in load.history if each.kind == "write"})
    with host.call(REGISTER) as channel:
        for number, key in enumerate(keys):
            began_s = lab.now_s()
            answer = await _insist(channel, Request(number, "read", key, ""), limit_s)
            load.history.append(Operation("read", key, answer.value, began_s, lab.now_s()))
    began_s = lab.now_s()
    seen = await list_all(host)
    load.history.append(Operation("list", SET, None, began_s, lab.now_s(), seen=seen))


@dataclass(slots=True)
class _Client:
    """Asks for one thing after the other; by another node of its host, when one does not answer."""

    lab: Lab
    host: Host
    name: str
    nodes: list[Address]
    count: int = 0

    async def run(self, load: Load, randomness: Random) -> None:
        with self.host.call(REGISTER) as channel:
            while not load.is_over:
                load.history.append(await self._operation(channel, randomness))
                await self.lab.sleep(PAUSE_S)

    async def _operation(self, channel: ServiceChannel, randomness: Random) -> Operation:
        self.count += 1
        kind: Kind = randomness.choice(("write", "read", "add"))
        began_s = self.lab.now_s()
        # Each second has registers of its own, so that a history stays short.
        key = SET if kind == "add" else f"{int(began_s)}.{randomness.randrange(2)}"
        value = f"{self.name}.{self.count}"
        request = Request(self.count, kind, key, value)
        try:
            answer = await _ask(channel, request, PATIENCE_S, node=self.nodes[0])
        except DeadlineError:
            self.nodes.append(self.nodes.pop(0))
            return Operation(kind, key, value, began_s, self.lab.now_s(), "unknown")
        kept = answer.value if kind == "read" else value
        return Operation(kind, key, kept, began_s, self.lab.now_s())


async def _insist(channel: ServiceChannel, request: Request, limit_s: float) -> Answer:
    """Ask until there is an answer; only for what changes nothing."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    while True:
        try:
            return await _ask(channel, request, PATIENCE_S)
        except DeadlineError:
            if loop.time() > until_s:
                raise


async def _ask(
    channel: ServiceChannel, request: Request, limit_s: float, *, node: Address | None = None
) -> Answer:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    _ = channel.send(msgspec.msgpack.encode(request), node=node)
    while True:
        packet = await channel.receive(deadline_s=max(0.001, until_s - loop.time()))
        # What comes back unanswered met two members that each took the other for the owner.
        with suppress(msgspec.ValidationError):
            answer = _answers.decode(packet.payload)
            if answer.number == request.number:
                return answer  # others answer what was given up


_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
