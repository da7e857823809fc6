"""How soon the first byte comes, and how fast 5 MB are, beside TCP and TLS over the same links."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from statistics import median

from ei.host.client import Host
from ei.lab.promises import Promise, promise
from ei.scenarios.termination.certificates import client_context, server_context
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import Server, content, serving
from ei.sdk import Address
from ei.services.termination.client import open_legacy

Now = Callable[[], float]

ALICE = "alice.isp-a"
ASKS = 100
DIRECT_ASKS = 20
MUCH = 5_000_000
LONG_S = 120.0
FIRST_BYTE_LIMIT_MS = 115.0
TLS_LIMIT_MS = 215.0
"""A round trip to the server less than without the nodes, which open TCP for the first of them."""
GAIN_LIMIT = 2.5


async def measured(
    now_s: Now, alice: Host, ground: Ground, server: Server, node: Address
) -> AsyncIterator[Promise]:
    """Measure both ways, one after the other."""
    async with serving(ground.listener(), tls=server_context()) as secure:
        far_ms = [await asked_by_tls(now_s, ground, secure) for _ in range(DIRECT_ASKS)]
        near_ms = [await asked(now_s, alice, ground, server, node) for _ in range(ASKS)]
        yield promise(
            "first byte, median of 100",
            round(median(near_ms), 1),
            "<=",
            FIRST_BYTE_LIMIT_MS,
            unit="ms",
            baseline=round(median(far_ms), 1),
        )
        both_ms = [
            await asked_by_both(now_s, alice, ground, secure, node) for _ in range(DIRECT_ASKS)
        ]
        yield promise(
            "first byte of TLS from end to end, by way of the nodes",
            round(median(both_ms), 1),
            "<=",
            TLS_LIMIT_MS,
            unit="ms",
            baseline=round(median(far_ms), 1),
        )
        far_s = await fetched_by_tls(now_s, ground, secure)
    near_s = await fetched(now_s, alice, ground, server, node)
    yield promise(
        "5 MB, times as fast as TLS over CUBIC from end to end",
        round(far_s / near_s, 2),
        ">=",
        GAIN_LIMIT,
        unit="x",
        baseline=1.0,
    )


async def asked(now_s: Now, alice: Host, ground: Ground, server: Server, node: Address) -> float:
    """Ask by way of the nodes; return after how many milliseconds the first byte is there."""
    began_s = now_s()
    stream = await open_legacy(alice, ground.web, server.port, exit=node, first=b"give 1000\n")
    _ = await stream.read_exactly(1)
    taken_ms = (now_s() - began_s) * 1_000
    _ = await stream.read_all()
    await stream.finish()
    return taken_ms


async def asked_by_both(
    now_s: Now, alice: Host, ground: Ground, server: Server, node: Address
) -> float:
    """As `asked`, with TLS between alice and the server, which the nodes do not see into."""
    began_s = now_s()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="web")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    stream = await open_legacy(alice, ground.web, server.port, exit=node, first=outgoing.read())

    async def done(step: Callable[[], object]) -> None:
        while True:
            try:
                _ = step()
            except ssl.SSLWantReadError:
                _ = incoming.write(await stream.read())
            else:
                await stream.write(outgoing.read())
                return

    await done(tls.do_handshake)
    await done(lambda: tls.write(b"give 1000\n"))
    await done(lambda: tls.read(1))
    taken_ms = (now_s() - began_s) * 1_000
    stream.abort()
    return taken_ms


async def fetched(now_s: Now, alice: Host, ground: Ground, server: Server, node: Address) -> float:
    """Fetch much by way of the nodes; return the seconds it took."""
    began_s = now_s()
    line = f"give {MUCH}\n".encode()
    stream = await open_legacy(
        alice, ground.web, server.port, exit=node, first=line, deadline_s=LONG_S
    )
    arrived = await stream.read_all(limit_bytes=MUCH, deadline_s=LONG_S)
    assert arrived == content(MUCH), "what arrives is what was sent"  # noqa: S101
    return now_s() - began_s


async def asked_by_tls(now_s: Now, ground: Ground, server: Server) -> float:
    """As `asked`, by a connection of TCP and TLS of its own from end to end."""
    began_s = now_s()
    reader, writer = await connected(ground, server)
    writer.write(b"give 1000\n")
    _ = await reader.readexactly(1)
    taken_ms = (now_s() - began_s) * 1_000
    writer.transport.abort()
    return taken_ms


async def fetched_by_tls(now_s: Now, ground: Ground, server: Server) -> float:
    """As `fetched`, by TCP and TLS."""
    began_s = now_s()
    reader, writer = await connected(ground, server)
    writer.write(f"give {MUCH}\n".encode())
    _ = await reader.readexactly(MUCH)
    writer.transport.abort()
    return now_s() - began_s


async def connected(
    ground: Ground, server: Server
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect from where alice is."""
    made = ground.socket_of(ALICE)
    await asyncio.get_running_loop().sock_connect(made, (ground.web, server.port))
    context: ssl.SSLContext = client_context()
    return await asyncio.open_connection(sock=made, ssl=context, server_hostname="web")
