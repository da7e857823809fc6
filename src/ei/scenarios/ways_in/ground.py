"""Where the programs of the scenario are: servers here, and ways in as processes of their own."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.daemons.client import ask
from ei.errors import EiError
from ei.host.client import Host
from ei.host.status import HostStatus
from ei.lab.foreign import end, environ_of, unused_port
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.scenarios.ways_in.outside import seen, that_work

BODY = bytes(range(256)) * 80_000
"""20 MB."""
BULK_PORT = 5_201
"""Where the gateway offers iperf3."""
READY_S = 10.0
OUTSIDE = (
    ("ip", "-o", "address"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "rule"),
    ("getent", "hosts", "localhost"),
    ("cat", "/etc/resolv.conf"),
)
"""What a machine says of its way to the Internet, whatever runs beside it."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What programs outside see.

    Attributes:
        programs: Their names.
        digest: SHA-256 of all that they print.
    """

    programs: str
    digest: str


@dataclass(frozen=True, slots=True)
class Ground:
    """One lab, its servers, and how to run programs.

    Attributes:
        hosts: Folder with the folders of hosts.
        web_port: Of a web server that has `/body`.
        speaking_port: Of a server that speaks first, and then says everything again.
        bulk_port: Where a server of iperf3 may listen.
        idle_port: Where a server of many connections may.
        dave: A host of this program.
        programs: Those that are looked at outside.
    """

    lab: ProcessLab
    hosts: Path
    web_port: int
    speaking_port: int
    bulk_port: int
    idle_port: int
    dave: Host
    programs: tuple[str, ...]
    environ: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of `/body`."""
        return hashlib.sha256(BODY).hexdigest()

    def config(self, name: str) -> Path:
        """Return the `host.toml` of a host, which no daemon runs with."""
        return self.hosts / name / "host.toml"

    async def said(self, *words: str) -> tuple[int, bytes]:
        """Run a program; return its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self.environ,
        )
        printed, _ = await process.communicate()
        return process.returncode or 0, printed

    async def got(self, *words: str) -> str:
        """Return the SHA-256 of what curl gets."""
        _, printed = await self.said("curl", "-s", "-m", "60", *words)
        return hashlib.sha256(printed).hexdigest()

    async def outside(self) -> Outside:
        """Return what programs outside see: of the network, and by it."""
        all_seen = [
            await seen(self.web_port, programs=self.programs, environ=self.environ),
            await self.got("--noproxy", "*", f"http://127.0.0.1:{self.web_port}/body"),
        ]
        for words in OUTSIDE:
            _, printed = await self.said(*words)
            all_seen.append(printed.decode())
        *others, last = self.programs
        digest = hashlib.sha256("\n".join(all_seen).encode()).hexdigest()
        return Outside(f"{', '.join(others)} and {last}", digest)

    @asynccontextmanager
    async def running(self, name: str, *words: str) -> AsyncGenerator[asyncio.subprocess.Process]:
        """Run a way in as a host, from when it is attached until the block ends."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ei", *words, "--config", str(self.config(name))),
            stderr=asyncio.subprocess.DEVNULL,
            env=self.environ,
        )
        try:
            _ = await until(self.lab, lambda: self._is_up(name), limit_s=READY_S)
            yield process
        finally:
            await end(process)

    async def ask(self, name: str, verb: str) -> dict[str, object]:
        """Ask the daemon of a host."""
        return await asyncio.to_thread(ask, self.hosts / name / "admin.sock", verb)

    async def _is_up(self, name: str) -> bool:
        try:
            status = msgspec.convert(await self.ask(name, "status"), HostStatus)
        except EiError:
            return False
        return any(each.is_up for each in status.attachments)


@asynccontextmanager
async def grounded(lab: ProcessLab) -> AsyncGenerator[Ground]:
    """Start the servers; make room for the daemons of all hosts but dave."""
    for name in ("alice", "bob", "carol"):
        lab.host(name).close()
    folder, environ = lab.folder("sn1.isp-a").parent, environ_of(lab)
    async with (
        await asyncio.start_server(_web, "127.0.0.1", 0) as web,
        await asyncio.start_server(speak, "127.0.0.1", 0) as speaking,
    ):
        yield Ground(
            lab,
            folder,
            web.sockets[0].getsockname()[1],
            speaking.sockets[0].getsockname()[1],
            unused_port(),
            unused_port(),
            lab.host("dave"),
            await that_work(environ),
            environ,
        )


async def _web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _ = await reader.readuntil(b"\r\n\r\n")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + BODY)
    await writer.drain()
    writer.close()


async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, then say everything again."""
    writer.write(b"ready\n")
    with suppress(ConnectionError):  # a way in that is killed resets what it has open
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()
