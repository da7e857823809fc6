"""Who knows what of pages and answers that a host gets by the relay: all of each party is searched.

A page comes slowly while it is looked, another one by curl and the proxy, and an answer by UDP.
"""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from dns.message import make_query

from ei.host.streams import Stream
from ei.lab.borrowed import find_program
from ei.lab.canaries import Canary, endpoint_canary, text_canary
from ei.lab.foreign import environ_of, running
from ei.lab.knowledge import show
from ei.lab.promises import Promise, unsupported
from ei.lab.witness import Link, Node, Program, Seat, watching
from ei.runtime.loader import load_service
from ei.scenarios.relay.ground import FIRST, QUINCE, SLOW_EXIT, World
from ei.scenarios.termination.foreign import Programs
from ei.scenarios.termination.ground import WEB
from ei.sdk.knowledge import Party
from ei.services.relay.client import PrivateRelay
from ei.ways.private import PrivateDialler

TRANSIT = "sn1.transit"
LIMIT_S = 20.0
ECHO = """
import socket, sys
up, udp = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((sys.argv[1], int(sys.argv[2])))
up.bind(sys.argv[3])
up.listen()
while True:
    udp.sendto(*udp.recvfrom(2048))
"""
TOGETHER: tuple[tuple[Party, Party], ...] = (
    ("first_node", "last_node"),
    ("first_node", "middle_node"),
    ("first_link", "last_link"),
    ("issuer", "target"),
)
"""Who might work together: no protocol keeps from two what each of them knows."""


@dataclass(frozen=True, slots=True)
class Target:
    """A web server of Python as it is, and a server that gives datagrams back: processes of others.

    Attributes:
        name: Of it, as it is asked for: a number that resolvers take for its IP address, written as
            nobody else does.
        endpoint: Where it is, for TCP and UDP; nothing else is at its address.
        page, other_page: Names of files that it serves, each with the secret in it.
        asked: Name in a question of the DNS that is sent to it.
        pids, folder: Of the processes, and of all that they serve and write.
    """

    name: str
    endpoint: str
    page: tuple[str, str]
    other_page: tuple[str, str]
    asked: str
    pids: tuple[int, ...]
    folder: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.endpoint.rpartition(":")[2])

    @property
    def canaries(self) -> tuple[Canary, ...]:
        """Return those of who it is, where it is, what it is asked and what it answers."""
        return (
            text_canary("target", "name of the target", self.name),
            endpoint_canary("target_place", "IP address of the target", self.endpoint),
            text_canary("payload", "name of a page", self.page[0]),
            text_canary("payload", "secret of a page", self.page[1]),
            text_canary("payload", "name of a page of curl", self.other_page[0]),
            text_canary("payload", "secret of a page of curl", self.other_page[1]),
            text_canary("payload", "name in a datagram", self.asked),
        )


async def known(world: World) -> AsyncIterator[Promise]:
    """Get them by the relay; look at all parties while the first comes and when all are there."""
    if find_program("curl") is None:
        yield unsupported("who knows what; apt-get install curl", "==", limit=True)
        return
    async with target_of(world) as target:
        seats = seats_of(target, has_namespaces=bool(world.ground.namespaces))
        async with watching(world.lab, seats) as witness, world.relaying(exit=SLOW_EXIT) as relay:
            canaries = (*witness.canaries_of(QUINCE), *target.canaries)
            _ = await world.ready(relay)
            # The server writes down what it is asked: what it only has in memory, it forgets.
            asked = f"/{target.page[0]}?{target.name}"
            head = f"GET {asked} HTTP/1.0\r\nHost: {target.name}\r\n"
            stream = await relay.open(
                target.name, target.port, first=head.encode(), deadline_s=LIMIT_S
            )
            _ = await witness.look(canaries)
            await _finish(stream, target)
            await _by_datagram(relay, target)
            await _by_curl(world, relay, target)
            looked = await witness.look(canaries)
    table = load_service("relay").manifest.knows
    for each in show(looked, table, canaries, together=TOGETHER):
        yield each


def seats_of(target: Target, *, has_namespaces: bool) -> dict[Party, Seat]:
    """Return where each party of the table sits."""
    first, last = Node(FIRST), Node(SLOW_EXIT)
    return {
        "first_node": first,
        "issuer": first,
        "first_link": Link(QUINCE, FIRST),
        "middle_node": Node(TRANSIT),
        "middle_link": Link(FIRST, TRANSIT),
        "last_node": last,
        "last_link": Link(SLOW_EXIT, WEB) if has_namespaces else Link("*", target.endpoint),
        "target": Program(target.pids, (target.folder,)),
    }


def number_name(address: str) -> str:
    """Return a name that resolvers take for an IPv4 address, written as nobody else does."""
    return f"0x{'0' * 8}{IPv4Address(address).packed.hex()}"


async def _finish(stream: Stream, target: Target) -> None:
    async with asyncio.timeout(LIMIT_S):
        await stream.write(b"\r\n")
        page = await stream.read_all()
    assert target.page[1].encode() in page, "the canary went by the relay"  # noqa: S101


async def _by_datagram(relay: PrivateRelay, target: Target) -> None:
    question = make_query(target.asked, "A").to_wire()
    datagram = len(question).to_bytes(2, "little") + question
    stream = await relay.open(
        target.name, target.port, transport="udp", first=datagram, deadline_s=LIMIT_S
    )
    async with stream:
        back = await stream.read_exactly(len(datagram), deadline_s=LIMIT_S)
    assert back == datagram, "the datagram came back"  # noqa: S101


async def _by_curl(world: World, relay: PrivateRelay, target: Target) -> None:
    programs = Programs(environ_of(world.lab), world.ground)
    dialler = PrivateDialler(relay, lambda: world.quince.records)
    async with world.proxy(dialler) as proxy:
        url = f"http://{target.endpoint}/{target.other_page[0]}"
        page = await programs.run("curl", "-sS", "-m", "20", "-x", f"http://{proxy}", url)
    assert target.other_page[1].encode() in page, "curl has the page"  # noqa: S101


@asynccontextmanager
async def target_of(world: World) -> AsyncGenerator[Target]:
    """Run the target while the block lasts, in a namespace or at an address of its own."""
    namespace = world.ground.namespaces.get(WEB)
    address = world.ground.web if namespace else _own_address()
    port = world.ground.unused_port()
    with tempfile.TemporaryDirectory(prefix="ei-target-") as place:
        folder = Path(place)
        pages = _page(), _page()
        for path, secret in pages:
            _ = (folder / path).write_text(secret)
        start = partial(running, folder=folder, environ=environ_of(world.lab), namespace=namespace)
        web = (sys.executable, "-m", "http.server", str(port), "--bind", address)
        names = (sys.executable, "-c", ECHO, address, str(port), str(folder / "up"))
        async with start(*web, at=port) as first, start(*names, at=folder / "up") as second:
            yield Target(
                number_name(address),
                f"{address}:{port}",
                *pages,
                asked=f"q{secrets.token_hex(12)}.example",
                pids=(first, second),
                folder=folder,
            )


def _page() -> tuple[str, str]:
    return secrets.token_hex(12), secrets.token_hex(24)


def _own_address() -> str:
    """Return an address of the loopback that nobody else has."""
    return str(IPv4Address(bytes((127, *(2 + each % 250 for each in secrets.token_bytes(3))))))
