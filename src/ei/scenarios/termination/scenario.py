"""Termination: bytes arrive whole, a refusal says why, a slow reader holds the server back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ei.errors import DeniedError, EiError, StreamError
from ei.host.client import Host
from ei.host.streams import Stream
from ei.lab.lab import Lab
from ei.lab.load import node_in_use, until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.node.stream_status import StreamStatus
from ei.scenarios.termination.foreign import by_foreign_programs
from ei.scenarios.termination.ground import WEB, Ground
from ei.scenarios.termination.outliving import outlived
from ei.scenarios.termination.servers import Server, content, serving
from ei.scenarios.termination.sites import at_sites
from ei.scenarios.termination.speed import measured
from ei.sdk import Address
from ei.services.termination.client import open_legacy

BACKENDS = ("netns", "processes")
MUCH = 5_000_000
HALF = 100_000
RATE_LIMIT = 0.3
STILL_S = 1.0
FILLED_LIMIT_S = 20.0
MIB = 1024 * 1024
FLOOD_LIMIT_MIB = 48.0
"""Most of it is the kernel's: `tcp_wmem` at the server and `tcp_rmem` at the node."""
NOT_ALLOWED_PORT = 80
"""Rules of the topology begin at 1024."""


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Carry, refuse, hold back and break streams, by one node and by two."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("servers of the legacy Internet are reached", "==", limit=True)
        return
    alice, ground = lab.host("alice"), await Ground.of(lab)
    beside_web = alice.find("sn1.isp-b")
    async with serving(ground.listener()) as server:
        world = World(lab, alice, ground, server)
        for part in (
            carried(world, "one node", None),
            carried(world, "two nodes", beside_web),
            compared(world, beside_web),
            at_sites(lab, alice, ground),
            outlived(lab, ground, server, beside_web),
            refused(world),
            held_back(world),
            broken(world),
        ):
            async for each in part:
                yield each


@dataclass(frozen=True, slots=True)
class World:
    """All that takes part."""

    lab: ProcessLab
    alice: Host
    ground: Ground
    server: Server

    async def opened(self, line: str, node: Address | None = None) -> Stream:
        """Open a stream to the server, and say what it is to do."""
        return await open_legacy(
            self.alice, self.ground.web, self.server.port, exit=node, first=f"{line}\n".encode()
        )

    async def refusal(self, name: str, port: int) -> str:
        """Return the error with which a stream does not open, and its word; empty if it does."""
        try:
            stream = await open_legacy(self.alice, name, port)
        except StreamError as error:
            return f"StreamError {error.kind}"
        except DeniedError:
            return "DeniedError not_allowed"
        except EiError as error:
            return f"{type(error).__name__} unreachable"
        stream.abort()
        return ""


async def carried(world: World, way: str, node: Address | None) -> AsyncIterator[Promise]:
    """Carry much both ways."""
    began_s = world.lab.now_s()
    stream = await world.opened(f"give {MUCH}", node)
    arrived = await stream.read_all(limit_bytes=MUCH)
    rate = MUCH / (world.lab.now_s() - began_s) / 1e6
    yield promise(f"5 MB arrive whole by {way}", arrived == content(MUCH), "==", limit=True)
    yield promise(f"rate by {way}", round(rate, 1), ">=", RATE_LIMIT, unit="MB/s")

    stream = await world.opened("take", node)
    await stream.write(content(MUCH))
    await stream.finish()
    said = await stream.read_all(limit_bytes=64)
    is_equal = said.decode() == hashlib.sha256(content(MUCH)).hexdigest()
    yield promise(f"5 MB leave whole by {way}", is_equal, "==", limit=True)


async def compared(world: World, beside_web: Address) -> AsyncIterator[Promise]:
    """Measure beside TCP and TLS, where links are bad; let programs of others ask."""
    lab, alice, ground = world.lab, world.alice, world.ground
    if lab.backend == "netns":
        async for each in measured(lab.now_s, alice, ground, world.server, beside_web):
            yield each
    async for each in by_foreign_programs(lab, alice, ground, beside_web):
        yield each


async def refused(world: World) -> AsyncIterator[Promise]:
    """Ask for what is not there, and for what is not allowed."""
    nobody = await world.refusal(world.ground.web, world.ground.unused_port())
    yield promise("a closed port is refused", nobody, "==", "StreamError refused")
    denied = await world.refusal(world.ground.web, NOT_ALLOWED_PORT)
    yield promise("a port that no rule allows is denied", denied, "==", "DeniedError not_allowed")
    unknown = await world.refusal("nobody.invalid", 8_080)
    yield promise("a name of nobody opens nothing", unknown != "", "==", limit=True)


async def held_back(world: World) -> AsyncIterator[Promise]:
    """Let a server send without end to who reads nothing, and to who is not far away."""
    near_by = world.ground.socket_of(WEB)
    await asyncio.get_running_loop().sock_connect(near_by, (world.ground.web, world.server.port))
    _, writer = await asyncio.open_connection(sock=near_by)
    writer.write(b"flood\n")
    near, _ = await flooded(world)
    writer.transport.abort()

    stream = await world.opened("flood")
    far, is_still = await flooded(world)
    stream.abort()
    yield promise(
        "what a server may send to who reads nothing",
        round(far / MIB, 2),
        "<=",
        FLOOD_LIMIT_MIB,
        unit="MiB",
        baseline=round(near / MIB, 2),
        is_valid=is_still,
    )


async def flooded(world: World) -> tuple[int, bool]:
    """Return how many bytes of a flood have left its server, and whether it stands still."""
    began = before = world.server.flooded_bytes

    async def is_still() -> bool:
        nonlocal before
        last, before = before, world.server.flooded_bytes
        return before == last > began

    taken_s = await until(world.lab, is_still, limit_s=FILLED_LIMIT_S, every_s=STILL_S)
    return world.server.flooded_bytes - began, taken_s is not None


async def broken(world: World) -> AsyncIterator[Promise]:
    """Break streams in their middle."""
    stream = await world.opened(f"die {HALF}")
    half = await stream.read_exactly(HALF)
    await stream.write(b".")
    yield promise(
        "a server that dies in mid-body is no end",
        await ending(stream),
        "==",
        "reset",
        is_valid=half == content(HALF),
    )

    stream = await world.opened("flood")
    node = node_in_use(world.alice)
    await world.lab.kill_worker(node, "termination")
    yield promise("the streams of a worker that was killed", await ending(stream), "==", "lost")

    async def is_back() -> bool:
        return await world.refusal(world.ground.web, world.server.port) == ""

    back_s = await until(world.lab, is_back, limit_s=3.0)
    yield promise("streams open again", back_s, "<=", 3.0, unit="s")

    async def is_over() -> bool:
        return (await streams_of(world.lab, node)).open == 0

    over_s = await until(world.lab, is_over, limit_s=5.0)
    yield promise("nothing is left open", over_s, "<=", 5.0, unit="s")


async def ending(stream: Stream) -> str:
    """Read to the end; return the word for how it was cut off, `end` if it was not."""
    try:
        while await stream.read():
            pass
    except StreamError as error:
        return error.kind
    return "end"


async def streams_of(lab: Lab, node: str) -> StreamStatus:
    """Return what a node says of its streams."""
    status = await lab.node_status(node)
    return StreamStatus() if status.streams is None else status.streams
