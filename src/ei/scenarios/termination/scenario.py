"""Termination: bytes arrive whole, a refusal says why, a slow reader holds the server back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from ei.errors import DeniedError, EiError, StreamError
from ei.host.client import Host
from ei.host.streams import Stream
from ei.lab.lab import Lab
from ei.lab.load import node_in_use, until
from ei.lab.promises import Promise, promise, unsupported
from ei.node.stream_status import StreamStatus
from ei.scenarios.termination.servers import Server, content, serving, unused_port
from ei.sdk import Address
from ei.services.termination.client import open_legacy

HERE = "127.0.0.1"
MUCH = 5_000_000
HALF = 100_000
RATE_LIMIT = 1.0
STILL_S = 1.0
MIB = 1024 * 1024
NOT_ALLOWED_PORT = 80
"""Rules of the topology begin at 1024."""


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Carry, refuse, hold back and break streams, by one node and by two."""
    if lab.backend != "processes":
        yield unsupported("servers of this machine are reached", "==", limit=True)
        return
    alice = lab.host("alice")
    async with serving() as server:
        for way, node in (("one node", None), ("two nodes", alice.find("sn1.isp-b"))):
            async for each in carried(lab, alice, server, way, node):
                yield each
        async for each in refused(alice):
            yield each
        yield await held_back(lab, alice, server)
        async for each in broken(lab, alice, server):
            yield each


async def carried(
    lab: Lab, alice: Host, server: Server, way: str, node: Address | None
) -> AsyncIterator[Promise]:
    """Carry much both ways."""
    began_s = lab.now_s()
    stream = await opened(alice, server, f"give {MUCH}", node)
    arrived = await stream.read_all(limit_bytes=MUCH)
    rate = MUCH / (lab.now_s() - began_s) / 1e6
    yield promise(f"5 MB arrive whole by {way}", arrived == content(MUCH), "==", limit=True)
    yield promise(f"rate by {way}", round(rate, 1), ">=", RATE_LIMIT, unit="MB/s")

    stream = await opened(alice, server, "take", node)
    await stream.write(content(MUCH))
    await stream.finish()
    said = await stream.read_all(limit_bytes=64)
    is_equal = said.decode() == hashlib.sha256(content(MUCH)).hexdigest()
    yield promise(f"5 MB leave whole by {way}", is_equal, "==", limit=True)


async def refused(alice: Host) -> AsyncIterator[Promise]:
    """Ask for what is not there, and for what is not allowed."""
    nobody = await refusal(alice, HERE, unused_port())
    yield promise("a closed port is refused", nobody, "==", "StreamError refused")
    denied = await refusal(alice, HERE, NOT_ALLOWED_PORT)
    yield promise("a port that no rule allows is denied", denied, "==", "DeniedError not_allowed")
    unknown = await refusal(alice, "nobody.invalid", 8_080)
    yield promise("a name of nobody", unknown, "==", "UnreachableError unreachable")


async def held_back(lab: Lab, alice: Host, server: Server) -> Promise:
    """Let a server send without end to who reads nothing, and to who is not far away."""
    reader, writer = await asyncio.open_connection(HERE, server.port)
    writer.write(b"flood\n")
    near, _ = await flooded(lab, server)
    writer.transport.abort()
    del reader

    stream = await opened(alice, server, "flood", None)
    far, is_still = await flooded(lab, server)
    stream.abort()
    return promise(
        "what a server may send to who reads nothing",
        round(far / MIB, 2),
        "<=",
        16.0,
        unit="MiB",
        baseline=round(near / MIB, 2),
        is_valid=is_still,
    )


async def flooded(lab: Lab, server: Server) -> tuple[int, bool]:
    """Return how many bytes of a flood have left its server, and whether it stands still."""
    began = server.flooded_bytes
    await lab.sleep(STILL_S)
    before = server.flooded_bytes
    await lab.sleep(STILL_S)
    return server.flooded_bytes - began, server.flooded_bytes == before


async def broken(lab: Lab, alice: Host, server: Server) -> AsyncIterator[Promise]:
    """Break streams in their middle."""
    stream = await opened(alice, server, f"die {HALF}", None)
    half = await stream.read_exactly(HALF)
    await stream.write(b".")
    yield promise(
        "a server that dies in mid-body is no end",
        await ending(stream),
        "==",
        "reset",
        is_valid=half == content(HALF),
    )

    stream = await opened(alice, server, "flood", None)
    node = node_in_use(alice)
    await lab.kill_worker(node, "termination")
    yield promise("the streams of a worker that was killed", await ending(stream), "==", "lost")

    async def is_back() -> bool:
        return await refusal(alice, HERE, server.port) == ""

    back_s = await until(lab, is_back, limit_s=3.0)
    yield promise("streams open again", back_s, "<=", 3.0, unit="s")

    async def is_over() -> bool:
        return (await streams_of(lab, node)).open == 0

    over_s = await until(lab, is_over, limit_s=5.0)
    yield promise("nothing is left open", over_s, "<=", 5.0, unit="s")


async def opened(alice: Host, server: Server, line: str, node: Address | None) -> Stream:
    """Open a stream to the server, and say what it is to do."""
    stream = await open_legacy(alice, HERE, server.port, exit=node)
    await stream.write(line.encode() + b"\n")
    return stream


async def refusal(alice: Host, name: str, port: int) -> str:
    """Return the error with which a stream does not open, and its word; empty if it does."""
    try:
        stream = await open_legacy(alice, name, port)
    except StreamError as error:
        return f"StreamError {error.kind}"
    except DeniedError:
        return "DeniedError not_allowed"
    except EiError as error:
        return f"{type(error).__name__} unreachable"
    stream.abort()
    return ""


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
