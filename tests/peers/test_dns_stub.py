"""The stub before an unmodified DNS server: dig gets from it what it gets from BIND itself."""

import asyncio
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.peers.test_dig import ZONE, served

from ei.sdk.packets import Address
from ei.ways.dns_server import DnsServer
from ei.ways.dns_stub import Stub
from ei.ways.dns_upstream import Upstream
from ei.ways.dns_zone import Looked, Unknown

pytestmark = pytest.mark.slow

HERE = ip_address("127.0.0.1")
LONG = ["long IN TXT" + f' "{"x" * 200}"' * 20]
"""More than fits a datagram."""


async def look(_wanted: str | Address) -> Looked:
    return Unknown("nobody is known here")


async def dig(port: int, *words: str) -> str:
    """Ask with dig; return what it says but for what differs each time."""
    command = ["dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=2", "+nocookie", *words]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    lines = [
        line for line in done.stdout.splitlines() if not re.match(r";; (Query|SERVER|WHEN)", line)
    ]
    return re.sub(r"id: \d+|-p \d+|DiG.*", "", "\n".join(lines))


@pytest.mark.parametrize(
    "words",
    [
        (f"{ZONE}.", "SOA"),
        (f"ns.{ZONE}.", "A"),
        (f"ns.{ZONE}.", "AAAA"),
        (f"no.{ZONE}.", "A"),
        (f"long.{ZONE}.", "TXT"),
        (f"long.{ZONE}.", "TXT", "+ignore"),
        (f"long.{ZONE}.", "TXT", "+tcp"),
        (f"ns.{ZONE}.", "A", "+noedns"),
        (f"ns.{ZONE}.", "A", "+edns=7", "+noednsneg"),
        ("example.com.", "A"),
        ("version.bind.", "TXT", "CH"),
    ],
    ids=" ".join,
)
def test_dig_sees_no_difference(dig_and_named: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    async def script(behind: int) -> None:
        server = DnsServer(Stub(look, Upstream([(HERE, behind)])), (HERE, 0))
        await server.open()
        try:
            straight = await dig(behind, *words)

            assert await dig(server.endpoint[1], *words) == straight
            assert "status:" in straight
        finally:
            await server.close()

    with served(dig_and_named, tmp_path, LONG) as behind:
        asyncio.run(script(behind))
