"""Ten thousand connections on which nobody speaks: all stay, and what each costs is counted."""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from ei.daemons.open_files import open_as_many_as_allowed
from ei.errors import LocalError
from ei.lab.foreign import running
from ei.lab.promises import Promise, promise
from ei.scenarios.ways_in.ground import Ground

IDLE_PORT = 7
"""Where the gateway offers the server that says everything again."""
COUNT = 10_000
COUNT_ON = 1_000
"""Of one host by termination: a node allows 1,024."""
AT_ONCE = 64
ASKED = 100
LIMIT_KIB = 32.0
LIMIT_ON_KIB = 48.0
ANSWER_S = 20.0
SERVER = """
import resource, selectors, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
watched = selectors.DefaultSelector()
watched.register(server, selectors.EVENT_READ)
while True:
    for key, _ in watched.select():
        if key.fileobj is server:
            watched.register(server.accept()[0], selectors.EVENT_READ)
        elif said := key.fileobj.recv(65536):
            key.fileobj.sendall(said)
        else:
            watched.unregister(key.fileobj)
            key.fileobj.close()
"""


@asynccontextmanager
async def repeating(ground: Ground, port: int) -> AsyncGenerator[None]:
    """Run a server that says everything again, on many connections."""
    words = (sys.executable, "-c", SERVER, str(port))
    with TemporaryDirectory(prefix="ei-idle-") as name:
        async with running(*words, at=port, folder=Path(name), environ=ground.environ):
            yield


async def idle(ground: Ground, at: str, *, proxy: int, gateway: int) -> AsyncIterator[Promise]:
    """Open many connections by a proxy, to a gateway and to the legacy Internet.

    Args:
        at: Where the proxy listens.
        proxy, gateway: Their process ids.
    """
    _ = open_as_many_as_allowed()
    nodes = await ground.lab.pids()
    async with repeating(ground, ground.idle_port):
        # The fewer first: what they have used is used again.
        for name, to, count, pids, limit_kib in (
            (
                "termination",
                f"127.0.0.1:{ground.idle_port}",
                COUNT_ON,
                {proxy, nodes["sn1.isp-a"]},
                LIMIT_ON_KIB,
            ),
            ("a gateway", f"bob.isp-b.ei:{IDLE_PORT}", COUNT, {proxy, gateway}, LIMIT_KIB),
        ):
            before = memory_kib(pids)
            async with held(at, to, count) as connections:
                grown = (memory_kib(pids) - before) / count
                chosen = Random(count).sample(connections, ASKED)
                answered = sum(await asyncio.gather(*map(_answers, chosen)))
            what = f"{count:,} idle connections by proxy and {name}"
            yield promise(f"{what}: of {ASKED} asked answer", answered, "==", limit=ASKED)
            each = f"{what}: memory of each in both"
            yield promise(each, round(grown, 1), "<=", limit_kib, unit="KiB")


def memory_kib(pids: set[int]) -> int:
    """Return how much memory processes have that nobody shares with them."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1])
    return total


@asynccontextmanager
async def held(at: str, to: str, count: int) -> AsyncGenerator[list[socket.socket]]:
    """Have so many connections open, by the proxy at an endpoint."""
    room = asyncio.Semaphore(AT_ONCE)

    with ExitStack() as opened:

        async def one() -> socket.socket:
            async with room:
                return await _tunnel(at, to, opened)

        yield await asyncio.gather(*(one() for _ in range(count)))


async def _tunnel(at: str, to: str, opened: ExitStack) -> socket.socket:
    loop = asyncio.get_running_loop()
    host, _, port = at.partition(":")
    connection = opened.enter_context(socket.socket())
    connection.setblocking(False)  # noqa: FBT003 its own name
    await loop.sock_connect(connection, (host, int(port)))
    await loop.sock_sendall(connection, f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode())
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        piece = await loop.sock_recv(connection, 1_000)
        if not piece:
            raise LocalError(f"the proxy hung up after {said!r}")
        said += piece
    if b" 200 " not in said.partition(b"\r\n")[0]:
        raise LocalError(f"the proxy says {said[:200]!r}")
    return connection


async def _answers(connection: socket.socket) -> bool:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(ANSWER_S):
            await loop.sock_sendall(connection, b"still there?")
            return await loop.sock_recv(connection, 100) == b"still there?"
    except (OSError, TimeoutError):
        return False
