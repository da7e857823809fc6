"""What programs outside see: curl, ping and dig, as they are, with their exit codes."""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from ei.errors import DeniedError
from ei.lab.namespaces import check_allowed
from ei.scenarios.ways_in.wireguard import WIRES, joined

PROGRAMS = ("curl", "ping", "dig")
PACKAGES = {"curl": "curl", "ping": "iputils-ping", "dig": "bind9-dnsutils"}
NAME = "www.example.org"
ADDRESS = "192.0.2.80"
LIMIT_S = "10"
PLAIN_S = "3"
"""For an answer where nobody is on the way."""

CURL = ("-o", "/dev/null", "-w", "%{http_code} %{size_download} bytes from %{remote_ip}")
VARIES = (
    re.compile(r"^;; (Query time|WHEN|MSG SIZE).*$", re.MULTILINE),
    re.compile(r"id: \d+"),
    re.compile(r"time[=<][\d.]+ ms|time \d+ms"),
    re.compile(r"^rtt .*$", re.MULTILINE),
    re.compile(r"#\d+|-p \d+"),  # the port of dig's server, which is ours
    re.compile(r"COOKIE: [0-9a-f]+"),
)
"""What differs from one run to the next, with us or without."""


def missing(environ: Mapping[str, str]) -> str:
    """Return the package of a program that is looked at and not installed; empty if all are."""
    path = environ.get("PATH")
    return next((PACKAGES[each] for each in PACKAGES if shutil.which(each, path=path) is None), "")


async def that_work(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the programs this machine lets work: some kernels answer no ping.

    Asked is on a wire between two namespaces that have nothing of ours; where there may be none, on
    the loopback.
    """
    ping = ("ping", "-c", "1", "-W", PLAIN_S)
    try:
        check_allowed(environ=environ)
    except DeniedError:
        code, _ = await _ended((*ping, "127.0.0.1"), environ)
    else:
        with joined() as (here, _):
            code, _ = await _ended(("nsenter", f"--net={here}", *ping, WIRES[1]), environ)
    return tuple(each for each in PROGRAMS if each != "ping" or code == 0)


async def seen(web_port: int, *, programs: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return all that programs print outside, with their exit codes, less what varies."""
    async with answering_names() as dns_port:
        commands = (
            ("curl", "-sS", "-m", LIMIT_S, *CURL, f"http://127.0.0.1:{web_port}/body"),
            ("curl", "-sS", "-m", LIMIT_S, "http://bob.isp-b.ei.invalid/"),
            ("ping", "-c", "2", "-i", "0.2", "-W", LIMIT_S, "127.0.0.1"),
            ("dig", "@127.0.0.1", "-p", str(dns_port), "+tries=1", NAME, "A"),
        )
        looked_at = [words for words in commands if words[0] in programs]
        return "\n".join([await _printed(words, environ) for words in looked_at])


def without_varying(text: str) -> str:
    """Return what a program printed, without what differs from one run to the next."""
    for pattern in VARIES:
        text = pattern.sub("", text)
    return text


@asynccontextmanager
async def answering_names() -> AsyncGenerator[int]:
    """Run a server of the DNS that knows one name; yield its port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    try:
        port: int = transport.get_extra_info("sockname")[1]
        yield port
    finally:
        transport.close()


class Names(asyncio.DatagramProtocol):
    """Answers every question by the same address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what it answers by."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self._transport.sendto(answer_to(data), addr)


def answer_to(asked: bytes) -> bytes:
    """Return the answer to a question: one address, for whatever name (RFC 1035, 4.1)."""
    end = asked.index(b"\0", 12) + 5
    head = asked[:2] + bytes.fromhex("8180 0001 0001 0000 0000")
    record = bytes.fromhex("c00c 0001 0001 0000003c 0004")
    return head + asked[12:end] + record + bytes(int(part) for part in ADDRESS.split("."))


async def _printed(words: tuple[str, ...], environ: Mapping[str, str]) -> str:
    code, printed = await _ended(words, environ)
    return f"{words[0]} {code}\n{without_varying(printed)}"


async def _ended(words: tuple[str, ...], environ: Mapping[str, str]) -> tuple[int | None, str]:
    """Run a program to its end; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environ, "LC_ALL": "C"},
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode(errors="replace")
