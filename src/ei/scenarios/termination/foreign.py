"""Programs of others on both sides: curl and h2load ask, nginx answers.

curl goes by the proxy that `ei proxy` runs, h2load by a port of the loopback that leads to nginx.
"""

import asyncio
import hashlib
import os
import re
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass
from statistics import median

from ei.daemons.log import Level, Log
from ei.errors import LocalError
from ei.host.client import Host
from ei.lab.borrowed import find_program
from ei.lab.foreign import environ_of
from ei.lab.namespaces import inside
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.nginx import MUCH, Nginx, serving_by_nginx
from ei.scenarios.termination.outliving import Killing
from ei.scenarios.termination.servers import content
from ei.sdk import Address
from ei.ways.accepting import Listener
from ei.ways.dialing import HostDialler
from ei.ways.ends import TcpEnd
from ei.ways.proxy import Proxy, proxy_of
from ei.ways.pump import pump

PACKAGES = {"nginx": "nginx", "curl": "curl", "h2load": "nghttp2-client"}
ALICE = "alice.isp-a"
ASKS = 15
FIRST_BYTE_LIMIT_MS = 200.0
REQUESTS = 400
CLIENTS = 4
AT_ONCE = 10
LIMIT_S = 60.0
LOOPBACK = "127.0.0.1"
SUCCEEDED = re.compile(rb"(\d+) succeeded")
WHOLE = "5 MB of nginx by curl and ei proxy are as they were"
FIRST_BYTE = "first byte of nginx by curl and ei proxy"
SLOWLY, MIDDLE_S = "1250k", 2.0
"""Four seconds for 5 MB; the node dies in their middle."""
OUTLIVED = "5 MB of nginx by curl and ei proxy, whose node is killed meanwhile, are as they were"
LOADED = "requests of h2load that nginx answers, over streams of one connection"


async def by_foreign_programs(
    lab: ProcessLab, alice: Host, ground: Ground, beside_web: Address
) -> AsyncIterator[Promise]:
    """Ask nginx; by links that are as the topology says in namespaces alone."""
    absent = [each for each in PACKAGES if find_program(each) is None]
    if absent:
        missing = f"; apt-get install {' '.join(PACKAGES[each] for each in absent)}"
        yield unsupported(WHOLE + missing, "==", limit=True)
        yield unsupported(LOADED + missing, "==", limit=REQUESTS)
        yield unsupported(OUTLIVED + missing, "==", limit=True)
        return
    programs = Programs(environ_of(lab), ground)
    async with serving_by_nginx(ground, environ=programs.environ) as nginx:
        async for each in by_curl(programs, alice, nginx):
            yield each
        async with doorway(alice, ground.web, nginx.http2_port) as port:
            answered = await programs.load(port)
        yield promise(LOADED, answered, "==", REQUESTS)
        yield await by_two_nodes(lab, programs, nginx, HostDialler(alice, exit=beside_web))


async def by_two_nodes(
    lab: ProcessLab, programs: "Programs", nginx: Nginx, dialler: HostDialler
) -> Promise:
    """Fetch much slowly, and kill the node in use meanwhile."""
    page = f"http://{programs.ground.web}:{nginx.port}/much"
    killing = Killing(lab, 0)
    async with (
        proxy_of(Proxy(dialler, listen=f"{LOOPBACK}:0", log=Log(level=Level.ERROR))) as proxy,
        asyncio.TaskGroup() as group,
    ):
        by_proxy = ("-x", f"http://{proxy.endpoint}", "--limit-rate", SLOWLY)
        fetching = group.create_task(programs.run("curl", "-sS", *by_proxy, page))
        await lab.sleep(MIDDLE_S)
        await killing.moved(1)
    await killing.undo()
    wanted = hashlib.sha256(content(MUCH)).digest()
    return promise(OUTLIVED, hashlib.sha256(await fetching).digest() == wanted, "==", limit=True)


async def by_curl(programs: "Programs", alice: Host, nginx: Nginx) -> AsyncIterator[Promise]:
    """Fetch much, and the first byte again and again, by the proxy and without us."""
    page = f"http://{programs.ground.web}:{nginx.port}"
    log = Log(level=Level.ERROR)
    async with proxy_of(Proxy(HostDialler(alice), listen=f"{LOOPBACK}:0", log=log)) as proxy:
        by_proxy = ("-x", f"http://{proxy.endpoint}")
        got = await programs.run("curl", "-sS", *by_proxy, f"{page}/much")
        wanted = hashlib.sha256(content(MUCH)).digest()
        yield promise(WHOLE, hashlib.sha256(got).digest() == wanted, "==", limit=True)
        if not programs.ground.namespaces:
            return
        near_ms = [await programs.first_byte_ms(f"{page}/little", *by_proxy) for _ in range(ASKS)]
        far_ms = [
            await programs.first_byte_ms(f"{page}/little", "--noproxy", "*", at=ALICE)
            for _ in range(ASKS)
        ]
    yield promise(
        FIRST_BYTE,
        round(median(near_ms), 1),
        "<=",
        FIRST_BYTE_LIMIT_MS,
        unit="ms",
        baseline=round(median(far_ms), 1),
    )


@dataclass(frozen=True, slots=True)
class Programs:
    """Runs programs of others to their end.

    Attributes:
        environ: Theirs.
    """

    environ: Mapping[str, str]
    ground: Ground

    async def run(self, *words: str, at: str = "") -> bytes:
        """Return what a program prints.

        Args:
            at: The node or host in whose namespace it runs, where there are any.

        Raises:
            LocalError: it fails, or takes too long.
        """

        def run_there() -> bytes:
            there = self.ground.namespaces.get(at)
            # Of this thread, which starts it.
            with nullcontext() if there is None else inside(there):
                done = subprocess.run(
                    words,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                    env=self.environ,
                    timeout=LIMIT_S,
                )
            if done.returncode != 0:
                said = done.stderr.decode(errors="replace").strip()
                raise LocalError(f"{words[0]} ended with {done.returncode}: {said[-400:]}")
            return done.stdout

        try:
            return await asyncio.to_thread(run_there)
        except subprocess.TimeoutExpired as error:
            raise LocalError(f"{words[0]} took more than {LIMIT_S:g} s") from error

    async def first_byte_ms(self, page: str, *options: str, at: str = "") -> float:
        """Fetch a page by a connection of its own; return when its first byte came."""
        form = ("-o", os.devnull, "-w", "%{time_starttransfer}")
        return float(await self.run("curl", "-sSf", *form, *options, page, at=at)) * 1_000

    async def load(self, port: int, *, scheme: str = "http") -> int:
        """Ask by HTTP/2 many times; return how many requests were answered."""
        many = ("-n", str(REQUESTS), "-c", str(CLIENTS), "-m", str(AT_ONCE))
        return answered_of(await self.run("h2load", *many, f"{scheme}://{LOOPBACK}:{port}/little"))


def answered_of(printed: bytes) -> int:
    """Return of how many requests h2load says that they succeeded.

    Raises:
        LocalError: of none, not even 0.
    """
    found = SUCCEEDED.search(printed)
    if found is None:
        raise LocalError(f"h2load says {printed[-400:].decode(errors='replace')!r}")
    return int(found[1])


@asynccontextmanager
async def doorway(host: Host, name: str, port: int) -> AsyncGenerator[int]:
    """Carry on what comes to a port of the loopback, for programs that know no proxy; yield it."""
    dialler = HostDialler(host)

    async def carry(program: TcpEnd) -> None:
        _ = await pump(program, await dialler.dial(name, port), idle_s=LIMIT_S)

    with closing(Listener(LOOPBACK, 0, carry)) as listener:
        yield listener.port
