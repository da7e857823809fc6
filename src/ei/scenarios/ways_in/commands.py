"""Programs by `ei run`: they get what they ask for, and know nothing of where they are."""

import asyncio
import hashlib
import signal
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from ei.host.client import Host
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.ways_in.ground import Ground

NODE = "sn1.isp-a"
CAROL = "carol.isp-a"
ECHO_PORT = 7
"""Of dave."""
COUNT = 5
LIMIT_S = 30.0
PAGE = b"page of the legacy Internet " * 10_000
SPEAKS_FIRST = """
import socket, sys
with socket.create_connection((sys.argv[1], 22), timeout=10) as link:
    lines = link.makefile("rwb")
    print(lines.readline().decode().strip())
    lines.write(b"and back\\n")
    lines.flush()
    print(lines.readline().decode().strip())
"""
ASKS_BY_UDP = """
import socket, sys
kind, _, _, _, place = socket.getaddrinfo(*sys.argv[1:3], type=socket.SOCK_DGRAM)[0]
with socket.socket(kind, socket.SOCK_DGRAM) as link:
    link.settimeout(10)
    for number in range(int(sys.argv[3])):
        link.sendto(b"hello %d" % number, place)
        print(link.recv(100).decode())
"""
HEARD = ", ".join(f"HELLO {number}" for number in range(COUNT))


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a program."""

    code: int
    printed: bytes
    complaint: str

    @property
    def digest(self) -> str:
        """SHA-256 of what it printed."""
        return hashlib.sha256(self.printed).hexdigest()

    @property
    def words(self) -> str:
        """What it printed, or else what it complained of."""
        text = self.printed.decode(errors="replace") or self.complaint
        return ", ".join(text.splitlines())


async def commands(ground: Ground) -> AsyncIterator[Promise]:
    """Run programs as carol: to a gateway, to dave, and to servers of the legacy Internet."""
    page = "http://bob.isp-b.ei/body"
    done = await run(ground, "curl", "-sS", page)
    yield promise("ei run -- curl by a gateway", done.digest, "==", ground.digest)

    done = await run(ground, sys.executable, "-c", SPEAKS_FIRST, "bob.isp-b.ei")
    what = "ei run: a TCP program whose server speaks first"
    yield promise(what, done.words, "==", "ready, and back")

    async with echoing(ground.dave):
        done = await ask_by_udp(ground, "dave.isp-b.ei", ECHO_PORT)
    yield promise("ei run: datagrams and answers of a host", done.words, "==", HEARD)

    async for each in to_the_legacy_internet(ground):
        yield each
    yield await killed(ground)


async def beside_a_proxy(ground: Ground, host: str) -> AsyncIterator[Promise]:
    """Run programs as a host whose proxy runs: to dave, and on from the node."""
    async with echoing(ground.dave):
        done = await ask_by_udp(ground, "dave.isp-b.ei", ECHO_PORT, host=host)
    yield promise("ei run beside a proxy: datagrams and answers of a host", done.words, "==", HEARD)
    here = own_address()
    if here is not None:
        async with serving_legacy(here) as (_, udp_port):
            done = await ask_by_udp(ground, here, udp_port, host=host)
        yield promise("ei run beside a proxy: datagrams by termination", done.words, "==", HEARD)


async def to_the_legacy_internet(ground: Ground) -> AsyncIterator[Promise]:
    """Reach a TCP and a UDP server that know nothing of us, from the node."""
    by_tcp, by_udp = "ei run -- curl by termination", "ei run: datagrams by termination"
    here = own_address()
    if here is None:
        # Inside, the loopback is another one.
        yield unsupported(f"{by_tcp} (this machine has an address)", "==", limit=True)
        yield unsupported(f"{by_udp} (this machine has an address)", "==", limit=True)
        return
    await allow(ground, here)
    async with serving_legacy(here) as (tcp_port, udp_port):
        done = await run(ground, "curl", "-sS", f"http://{here}:{tcp_port}/")
        yield promise(by_tcp, done.digest, "==", hashlib.sha256(PAGE).hexdigest())
        done = await ask_by_udp(ground, here, udp_port)
        yield promise(by_udp, done.words, "==", HEARD)


async def killed(ground: Ground) -> Promise:
    """Kill `ei run` by force: outside, nothing has changed, and its program is gone, too."""
    before = await ground.outside()
    process = await started(ground, "sh", "-c", "echo runs; exec sleep 600")
    assert process.stdout is not None  # noqa: S101
    is_running = await process.stdout.readline() == b"runs\n"
    during = await ground.outside()
    process.kill()
    left = await process.communicate()  # ends when the program, too, has let go of its output
    after = await ground.outside()
    is_same = before == during == after and left[0] == b""
    name = f"{after.programs} outside see no difference while ei run runs, and after its kill -9"
    return promise(name, is_same, "==", limit=True, is_valid=is_running)


# -- running -----------------------------------------------------------------------------------


async def run(ground: Ground, *words: str, host: str = CAROL) -> Done:
    """Run a program by `ei run` as a host, to its end."""
    process = await started(ground, *words, host=host)
    try:
        async with asyncio.timeout(LIMIT_S):
            printed, complaint = await process.communicate()
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
        printed, complaint = await process.communicate()
    return Done(process.returncode or 0, printed, complaint.decode(errors="replace"))


async def ask_by_udp(ground: Ground, to: str, port: int, *, host: str = CAROL) -> Done:
    """Run a program that asks some times by UDP."""
    words = (sys.executable, "-c", ASKS_BY_UDP, to, str(port), str(COUNT))
    return await run(ground, *words, host=host)


async def started(ground: Ground, *words: str, host: str = CAROL) -> asyncio.subprocess.Process:
    """Start a program by `ei run` as a host."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ei", "run", "--", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**ground.environ, "EI_CONFIG": str(ground.config(host))},
    )


async def is_enclosed(ground: Ground) -> bool:
    """Return whether `ei run` has a network namespace here, and not only proxy variables."""
    return "in a network namespace" in (await run(ground, "true")).complaint


# -- servers -----------------------------------------------------------------------------------


def own_address() -> str | None:
    """Return the address of this machine that others know, if there is one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


async def allow(ground: Ground, address: str) -> None:
    """Let carol's node reach an address of this machine, which takes a rule of its own."""
    file = ground.lab.folder(NODE) / "node.toml"
    text = await asyncio.to_thread(file.read_text)
    allowing = text.replace('"allow" = [', f'"allow" = ["{address}:1024-65535", ', 1)
    _ = await asyncio.to_thread(file.write_text, allowing)
    _ = await ground.lab.ask_node(NODE, "reload", {})


@asynccontextmanager
async def echoing(host: Host) -> AsyncGenerator[None]:
    """Answer the datagrams of a host in capitals, while the context lasts."""

    async def echo() -> None:
        with host.datagrams(ECHO_PORT) as channel:
            while True:
                got = await channel.receive(deadline_s=LIMIT_S)
                _ = channel.try_send(got.source, got.data.upper(), port=got.source_port)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(echo())
        try:
            yield
        finally:
            _ = task.cancel()


@asynccontextmanager
async def serving_legacy(address: str) -> AsyncGenerator[tuple[int, int]]:
    """Serve a page by TCP and an echo by UDP; yield their ports."""
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(Echo, local_addr=(address, 0))
    async with await asyncio.start_server(_page, address, 0) as tcp:
        yield tcp.sockets[0].getsockname()[1], udp.get_extra_info("sockname")[1]
    udp.close()


class Echo(asyncio.DatagramProtocol):
    """Answers in capitals."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what it answers by."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self._transport.sendto(data.upper(), addr)


async def _page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _ = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE)
    await writer.drain()
    writer.close()
