"""Who knows what of a page that a host gets by the relay: all that each party has is searched."""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from ei.host.streams import Stream
from ei.lab.canaries import Canary, endpoint_canary, text_canary
from ei.lab.foreign import environ_of, running
from ei.lab.knowledge import show
from ei.lab.promises import Promise
from ei.lab.witness import Link, Node, Program, Seat, watching
from ei.runtime.loader import load_service
from ei.scenarios.relay.ground import FIRST, QUINCE, SLOW_EXIT, World
from ei.scenarios.termination.ground import WEB
from ei.sdk.knowledge import Party

TRANSIT = "sn1.transit"
LIMIT_S = 20.0
TOGETHER: tuple[tuple[Party, Party], ...] = (
    ("first_node", "last_node"),
    ("first_node", "middle_node"),
    ("first_link", "last_link"),
    ("issuer", "target"),
)
"""Who might work together: no protocol keeps from two what each of them knows."""


@dataclass(frozen=True, slots=True)
class Target:
    """A web server of Python as it is, in a process of its own, for one file with a secret in it.

    Attributes:
        name: Of it, as it is asked for: a number that resolvers take for its IP address, written as
            nobody else does.
        endpoint: Where it is; nothing else is at its address.
        path: Of the file.
        secret: In the file.
        pid, folder: Of the process, and of all that it serves and writes.
    """

    name: str
    endpoint: str
    path: str
    secret: str
    pid: int
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
            text_canary("payload", "what is asked of the target", self.path),
            text_canary("payload", "what the target answers", self.secret),
        )


async def known(world: World) -> AsyncIterator[Promise]:
    """Get a page by the relay, and look at all parties while it comes and when it is there."""
    async with target_of(world) as target:
        seats = seats_of(target, has_namespaces=bool(world.ground.namespaces))
        async with watching(world.lab, seats) as witness, world.relaying(exit=SLOW_EXIT) as relay:
            canaries = (*witness.canaries_of(QUINCE), *target.canaries)
            _ = await world.ready(relay)
            head = f"GET /{target.path} HTTP/1.0\r\nHost: {target.name}\r\n"
            stream = await relay.open(
                target.name, target.port, first=head.encode(), deadline_s=LIMIT_S
            )
            _ = await witness.look(canaries)
            await _finish(stream, target)
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
        "target": Program((target.pid,), (target.folder,)),
    }


def number_name(address: str) -> str:
    """Return a name that resolvers take for an IPv4 address, written as nobody else does."""
    return f"0x{'0' * 8}{IPv4Address(address).packed.hex()}"


async def _finish(stream: Stream, target: Target) -> None:
    async with asyncio.timeout(LIMIT_S):
        await stream.write(b"\r\n")
        page = await stream.read_all()
    assert target.secret.encode() in page, "the canary went by the relay"  # noqa: S101


@asynccontextmanager
async def target_of(world: World) -> AsyncGenerator[Target]:
    """Run the target while the block lasts, in a namespace or at an address of its own."""
    namespace = world.ground.namespaces.get(WEB)
    address = world.ground.web if namespace else _own_address()
    port = world.ground.unused_port()
    with tempfile.TemporaryDirectory(prefix="ei-target-") as place:
        folder = Path(place)
        path, secret = secrets.token_hex(12), secrets.token_hex(24)
        _ = (folder / path).write_text(secret)
        words = (sys.executable, "-m", "http.server", str(port), "--bind", address)
        async with running(
            *words, at=port, folder=folder, environ=environ_of(world.lab), namespace=namespace
        ) as pid:
            yield Target(number_name(address), f"{address}:{port}", path, secret, pid, folder)


def _own_address() -> str:
    """Return an address of the loopback that nobody else has."""
    return str(IPv4Address(bytes((127, *(2 + each % 250 for each in secrets.token_bytes(3))))))
