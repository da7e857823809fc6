"""Ways in: foreign programs get what they ask for, and programs outside notice nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.ways_in.bulk import bulk
from ei.scenarios.ways_in.commands import beside_a_proxy, commands, is_enclosed
from ei.scenarios.ways_in.ground import BULK_PORT, Ground, Outside, grounded
from ei.scenarios.ways_in.idle import COUNT, IDLE_PORT, idle
from ei.scenarios.ways_in.outside import missing

BACKENDS = ("processes",)
BACK = 3_000_000
DRAIN_S = 2.0
NO_PING = "ping outside sees no difference (this kernel answers none, also without us)"
REFUSED = "http://bob.isp-b.ei:99/"


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Run a gateway, programs and a proxy, and end all of it in order and by force."""
    if not isinstance(lab, ProcessLab) or lab.backend != "processes":
        yield unsupported("foreign programs come in", "==", limit=True)
        return
    if package := missing(os.environ):
        name = f"programs outside are looked at; apt-get install {package}"
        yield unsupported(name, "==", limit=True)
        return
    async with grounded(lab) as ground:
        if "ping" not in ground.programs:
            yield unsupported(NO_PING, "==", limit=True)
        before = await ground.outside()
        servers = {
            80: ground.web_port,
            22: ground.speaking_port,
            BULK_PORT: ground.bulk_port,
            IDLE_PORT: ground.idle_port,
        }
        to = [f"--to={here}=127.0.0.1:{there}" for here, there in servers.items()]
        many = ("--connections", str(2 * COUNT + 100))
        publish = ("gateway", "publish", "web", *to, "--name", "bob.isp-b.ei", *many)
        async with ground.running("bob.isp-b", *publish) as gateway:
            async for each in enclosed(ground, gateway.pid):
                yield each
            proxy = ("proxy", "--listen", "127.0.0.1:0", *many)
            async with ground.running("alice.isp-a", *proxy) as proxying:
                at = str((await ground.ask("alice.isp-a", "proxy"))["endpoint"])
                async for each in with_a_proxy(ground, at, proxying.pid, gateway.pid):
                    yield each
                yield outside("with all of it on", before, await ground.outside())
                async with _held_open(at):
                    proxying.send_signal(signal.SIGTERM)
                    now = await ground.outside()
                    is_late = proxying.returncode is not None
                    yield outside("while the proxy drains", before, now, is_late=is_late)
                code = await proxying.wait()
                yield promise("the proxy ends in order: exit code", code, "==", limit=0)
            async with ground.running("alice.isp-a", *proxy) as proxying:
                proxying.kill()
                _ = await proxying.wait()
                yield outside("after the proxy crashed", before, await ground.outside())
            async with asyncio.TaskGroup() as group:
                draining = group.create_task(lab.drain("sn1.isp-b", grace_s=DRAIN_S))
                now = await ground.outside()
                is_late = draining.done()
            yield outside("while a node drains", before, now, is_late=is_late)
            gateway.kill()
            _ = await gateway.wait()
            await lab.kill("sn1.isp-a")
            yield outside("after gateway and node crashed", before, await ground.outside())


async def enclosed(ground: Ground, gateway: int) -> AsyncIterator[Promise]:
    """Run programs in a namespace, where there may be one."""
    if not await is_enclosed(ground):
        yield unsupported("ei run has a network namespace", "==", limit=True)
        return
    async for each in commands(ground):
        yield each
    async for each in bulk(ground, gateway):
        yield each


async def with_a_proxy(ground: Ground, at: str, proxy: int, gateway: int) -> AsyncIterator[Promise]:
    """Use a proxy in every way."""
    async for each in through(ground, at):
        yield each
    if await is_enclosed(ground):
        async for each in beside_a_proxy(ground, "alice.isp-a"):
            yield each
    async for each in idle(ground, at, proxy=proxy, gateway=gateway):
        yield each


def outside(when: str, before: Outside, now: Outside, *, is_late: bool = False) -> Promise:
    """Promise that programs outside see what they saw; not if that was over before they looked."""
    name = f"{now.programs} outside see no difference {when}"
    return promise(name, now == before, "==", limit=True, is_valid=not is_late)


async def through(ground: Ground, at: str) -> AsyncIterator[Promise]:
    """Use a proxy by HTTP, by SOCKS, and as a tunnel."""
    page = "http://bob.isp-b.ei/body"
    for name, scheme in (("HTTP", "http"), ("SOCKS", "socks5h")):
        got = await ground.got("-x", f"{scheme}://{at}", page)
        what = f"20 MB by curl and {name} from a server behind a gateway are as they were"
        yield promise(what, got == ground.digest, "==", limit=True)
    legacy = await ground.got("-x", f"http://{at}", f"http://127.0.0.1:{ground.web_port}/body")
    what = "20 MB by curl from a server of the legacy Internet are as they were"
    yield promise(what, legacy == ground.digest, "==", limit=True)
    back = await _said_again(at)
    what = "a server that speaks first says everything again, after the end of the question"
    yield promise(what, back, "==", limit=BACK, unit="B")
    words = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-x", f"http://{at}", REFUSED)
    _, status = await ground.said(*words)
    yield promise("a port where nobody listens: status", status.decode(), "==", limit="502")


async def _said_again(at: str) -> int:
    """Return how many bytes come back from the server that speaks first; -1 if it does not."""
    reader, writer = await _tunnel(at)
    if await reader.readline() != b"ready\n":
        return -1
    async with asyncio.TaskGroup() as group:
        _ = group.create_task(_say(writer, bytes(BACK)))
        got = await reader.read()
    writer.close()
    return len(got)


async def _say(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    writer.write_eof()


async def _tunnel(at: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = at.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"CONNECT bob.isp-b.ei:22 HTTP/1.1\r\nHost: bob.isp-b.ei:22\r\n\r\n")
    _ = await reader.readuntil(b"\r\n\r\n")
    return reader, writer


@asynccontextmanager
async def _held_open(at: str) -> AsyncGenerator[None]:
    """Keep a tunnel open: a proxy that ends has to wait for it."""
    _, writer = await _tunnel(at)
    try:
        yield
    finally:
        writer.close()
