"""Ends in memory, and a dialler that leads to them: programs, servers, and a clock of its own."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pytest
from tests.ways.places import Place, placed, placed_privately

from ei.errors import EiError, NotFoundError, StreamError
from ei.host.stream_codes import ABORTED
from ei.lab.clock import run_virtual
from ei.ways.dialing import DIAL_S

WINDOW_BYTES = 64 * 1024
ResultT = TypeVar("ResultT")


class Memory:
    """One of two ends that are joined in memory, with a window as a real one has.

    Attributes:
        waiting: Bytes that nobody has read yet.
        code: With which this end was given up.
        is_closed: It was let go of in order.
    """

    def __init__(self) -> None:
        self.other = self
        self.waiting = bytearray()
        self.code: int | None = None
        self.is_closed = False
        self.is_ended = False
        self.refusal: StreamError | None = None
        self._moved = asyncio.Event()

    async def read(self, max_bytes: int = 1 << 20) -> bytes:
        while True:
            if self.refusal is not None:
                raise self.refusal
            if self.waiting or self.is_ended:
                piece = bytes(self.waiting[:max_bytes])
                del self.waiting[:max_bytes]
                self.other.move()
                return piece
            await self._news()

    async def write(self, data: bytes) -> None:
        for at in range(0, len(data), WINDOW_BYTES):
            while self.refusal is None and len(self.other.waiting) >= WINDOW_BYTES:
                await self._news()
            if self.refusal is not None:
                raise self.refusal
            self.other.waiting += data[at : at + WINDOW_BYTES]
            self.other.move()

    async def finish(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.other.is_ended = True
        self.other.move()

    async def settle(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def close(self) -> None:
        self.is_closed = True

    def abort(self, code: int = ABORTED) -> None:
        self.code = code if self.code is None else self.code
        self.lose(StreamError("it was given up here", kind="aborted"))
        self.other.lose(StreamError("the other end gave it up", kind="reset"))

    def lose(self, error: StreamError) -> None:
        """From now on everything fails with an error."""
        self.refusal = self.refusal or error
        self.move()

    async def rest(self) -> bytes:
        """Return all up to the end."""
        pieces = b""
        while piece := await self.read():
            pieces += piece
        return pieces

    async def until(self, mark: bytes) -> bytes:
        """Return all up to a mark, which may be followed by more."""
        pieces = b""
        while mark not in pieces:
            piece = await self.read()
            assert piece, pieces
            pieces += piece
        return pieces

    def move(self) -> None:
        """Let whoever waits look again."""
        self._moved.set()

    async def _news(self) -> None:
        self._moved.clear()
        _ = await self._moved.wait()


def joined() -> tuple[Memory, Memory]:
    """Return two ends: what one writes the other reads."""
    near, far = Memory(), Memory()
    near.other, far.other = far, near
    return near, far


Server = Callable[[Memory], Coroutine[Any, Any, None]]


class Servers:
    """A dialler to servers in memory.

    Attributes:
        dialled: Where to, so far.
    """

    def __init__(
        self, group: asyncio.TaskGroup, places: dict[tuple[str, int], Server | EiError]
    ) -> None:
        self._group = group
        self._places = places
        self.dialled: list[tuple[str, int]] = []

    async def dial(self, name: str, port: int, *, deadline_s: float = DIAL_S) -> Memory:
        self.dialled.append((name, port))
        place = self._places.get((name, port), NotFoundError(f"no record of {name!r}"))
        if isinstance(place, EiError):
            raise place
        near, far = joined()
        _ = self._group.create_task(_serve(place, far))
        return near


class Leaving:
    """A dialler during whose work the program leaves. `ends` are those that it opened."""

    def __init__(self, program: Memory, servers: Servers) -> None:
        self._program = program
        self._servers = servers
        self.ends: list[Memory] = []

    async def dial(self, name: str, port: int, *, deadline_s: float = DIAL_S) -> Memory:
        end = await self._servers.dial(name, port)
        self._program.lose(StreamError("the program left", kind="reset"))
        self.ends.append(end)
        return end


async def _serve(server: Server, end: Memory) -> None:
    try:
        await server(end)
    except StreamError:
        return


@dataclass(frozen=True, slots=True)
class Scene:
    """A program at a proxy, the servers behind it, and what the proxy counted."""

    program: Memory
    servers: Servers
    counts: Counter[str]


class Client(Protocol):
    """What serves one connection of a program."""

    async def serve(self, first: bytes) -> None: ...


Make = Callable[[Memory, Servers, Callable[[str], object]], Client]
Script = Callable[[Scene], Coroutine[Any, Any, None]]


def at_proxy(
    script: Script, make: Make, places: dict[tuple[str, int], Server | EiError] | None
) -> None:
    """Run a program against a proxy in memory, in virtual time.

    Args:
        make: Returns what serves it, of the proxy's end, a dialler and a counter.
    """

    async def main() -> None:
        counts: Counter[str] = Counter()
        async with asyncio.TaskGroup() as group:
            program, near = joined()
            servers = Servers(group, places or {})
            client = make(near, servers, lambda word: counts.update([word]))
            serving = group.create_task(_served(client, near))
            await script(Scene(program, servers, counts))
            _ = serving.cancel()

    run_virtual(lambda _: main())


async def _served(client: Client, near: Memory) -> None:
    try:
        await client.serve(await near.read())
        await near.finish()
    except* StreamError:
        near.abort()


Run = Callable[[Callable[[], Coroutine[Any, Any, ResultT]]], ResultT]


@pytest.fixture
def run() -> Run[Any]:
    """Runs a program in virtual time."""

    def run_it(program: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        return run_virtual(lambda _: program())

    return run_it


@pytest.fixture(scope="session")
def private_place() -> Iterator[Place]:
    """A lab of two operators with a private proxy as a process: leave it as you found it."""
    with placed_privately() as made:
        yield made


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """A lab with a proxy and a gateway as processes: leave it as you found it."""
    with placed() as made:
        yield made
