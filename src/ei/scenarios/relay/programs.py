"""Programs of others, unmodified: curl by a private proxy, dig by `ei run --private`."""

import asyncio
import hashlib
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from ei.lab.borrowed import find_program
from ei.lab.foreign import environ_of
from ei.lab.namespaces import inside
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.relay.ground import CAROL, EXIT, OTHER_EXIT, SLOW_EXIT, World
from ei.scenarios.termination.certificates import server_context
from ei.scenarios.termination.foreign import Programs
from ei.scenarios.termination.ground import WEB
from ei.scenarios.termination.servers import content
from ei.scenarios.ways_in.commands import own_address
from ei.scenarios.ways_in.outside import ADDRESS, NAME, Names
from ei.ways.private import PrivateDialler

PACKAGES = {"curl": "curl", "dig": "bind9-dnsutils"}
MUCH = 5_000_000
LIMIT_S = "30"
RUN_LIMIT_S = 40.0


async def by_programs(world: World) -> AsyncIterator[Promise]:
    """Fetch pages by curl, with and without TLS, and ask a server of the DNS by dig."""
    absent = [each for each in PACKAGES if find_program(each) is None]
    if absent:
        packages = " ".join(PACKAGES[each] for each in absent)
        name = f"curl and dig go by the relay; apt-get install {packages}"
        yield unsupported(name, "==", limit=True)
        return
    environ = environ_of(world.lab)
    programs = Programs(environ, world.ground)
    wanted = hashlib.sha256(content(MUCH)).hexdigest()
    async with world.relaying() as relay:
        _ = await world.ready(relay)
        dialler = PrivateDialler(relay, lambda: world.quince.records)
        async with world.proxy(dialler) as proxy:
            for scheme, tls in (("http", None), ("https", server_context())):
                async with await asyncio.start_server(
                    page, sock=world.ground.listener(), ssl=tls
                ) as server:
                    port = server.sockets[0].getsockname()[1]
                    words = ("curl", "-sSk", "-m", LIMIT_S, "-x", f"http://{proxy}")
                    got = await programs.run(*words, f"{scheme}://{world.ground.web}:{port}/")
                what = f"5 MB by curl and {scheme}, by the relay: their SHA-256"
                yield promise(what, hashlib.sha256(got).hexdigest(), "==", wanted)
    yield await by_dig(world, environ)


async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request of HTTP with much."""
    _ = await reader.readuntil(b"\r\n\r\n")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + content(MUCH))
    await writer.drain()
    writer.close()


async def by_dig(world: World, environ: Mapping[str, str]) -> Promise:
    """Ask by UDP, from a namespace whose only way out is the relay."""
    what = "an answer to dig by UDP, by ei run --private"
    here = world.ground.web if world.ground.namespaces else own_address()
    if here is None:
        return unsupported(f"{what} (this machine has an address)", "==", limit=ADDRESS)
    if not world.ground.namespaces:
        await allow(world, here)
    host = world.lab.host(CAROL)
    config = Path(world.lab.folder("sn1.isp-a")).parent / CAROL / "host.toml"
    host.close()  # its keys are those of ei run from here on
    async with answering(world, here) as port:
        dig = ("dig", f"@{here}", "-p", str(port), "+short", "+notcp", "+tries=3", NAME, "A")
        words = (sys.executable, "-m", "ei", "run", "--private", "--", *dig)
        code, said, complaint = await asyncio.to_thread(
            ran, words, {**environ, "EI_CONFIG": str(config)}, world.ground.namespaces.get(CAROL)
        )
    if "gives no namespace" in complaint:
        return unsupported(f"{what} (this system gives namespaces)", "==", limit=ADDRESS)
    return promise(what, said if code == 0 else complaint[-300:], "==", limit=ADDRESS)


def ran(
    words: tuple[str, ...], environ: Mapping[str, str], namespace: str | None
) -> tuple[int, str, str]:
    """Run a program in a namespace; return its exit code, what it printed, and what it said."""
    with nullcontext() if namespace is None else inside(namespace):
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=environ,
            timeout=RUN_LIMIT_S,
        )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@asynccontextmanager
async def answering(world: World, address: str) -> AsyncGenerator[int]:
    """Run a server of the DNS that knows one name, where the web server is; yield its port."""
    namespace = world.ground.namespaces.get(WEB)
    with nullcontext() if namespace is None else inside(namespace):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, 0))
    made.setblocking(False)  # noqa: FBT003 its own name
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Names, sock=made)
    try:
        port: int = made.getsockname()[1]
        yield port
    finally:
        transport.close()


async def allow(world: World, address: str) -> None:
    """Let exits reach an address of this machine, which takes a rule of its own."""
    for name in (EXIT, OTHER_EXIT, SLOW_EXIT):
        file = world.lab.folder(name) / "node.toml"
        text = await asyncio.to_thread(file.read_text)
        allowing = text.replace('"allow" = [', f'"allow" = ["{address}:1024-65535", ', 1)
        _ = await asyncio.to_thread(file.write_text, allowing)
        _ = await world.lab.ask_node(name, "reload", {})
