"""A connection to a server outlives the node that carries it: that is killed in the middle.

The last mile loses nothing here, so that what is seen as a pause is the kill's alone.
"""

import hashlib
from collections.abc import AsyncIterator

from ei.errors import EiError
from ei.lab.load import attach_fully, node_in_use
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.lab.topology import Impairment
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import Server, pieces
from ei.sdk import Address
from ei.ways.resuming import ResumableStream, open_resumable

ALICE = "alice.isp-a"
NODES = ("sn1.isp-a", "sn2.isp-a")
LAST_MILE = Impairment(delay_ms=5)
MUCH = {"netns": 200_000_000, "processes": 20_000_000}
"""Between processes a program in Python makes the links."""
PATIENCE_S = 20.0
STALL_LIMIT_S = 1.0
ATTACH_LIMIT_S = 10.0


async def outlived(
    lab: ProcessLab, ground: Ground, server: Server, beside_web: Address
) -> AsyncIterator[Promise]:
    """Fetch much and send much, each by a node that is killed in the middle."""
    alice = lab.host(ALICE)
    for node in NODES:
        await lab.impair(ALICE, node, LAST_MILE)
    much = MUCH[lab.backend]
    for line, way, carry, count in (
        (f"long {much}", "from a server", fetched, much),
        ("take", "to a server", sent, much // 4),
    ):
        stream = await open_resumable(
            alice, ground.web, server.port, exit=beside_web, first=f"{line}\n".encode()
        )
        killing = Killing(lab, count // 2)
        try:
            digest = await carry(stream, count, killing)
        except EiError as error:
            digest = str(error)
        stream.abort()
        yield promise(
            f"{count // 1_000_000} MB {way} whose node is killed in the middle: their SHA-256",
            digest,
            "==",
            digest_of(count),
            is_valid=stream.resumed == 1,
        )
        longest_s = round(killing.longest_s, 3)
        yield promise(f"longest pause {way}", longest_s, "<=", STALL_LIMIT_S, unit="s")
        await killing.undo()
    for node in NODES:
        await lab.heal(ALICE, node)


class Killing:
    """Kills the node in use once half of the bytes have gone, and measures pauses.

    Attributes:
        longest_s: The longest time between two pieces.
    """

    def __init__(self, lab: ProcessLab, after_bytes: int) -> None:
        self._lab = lab
        self._after_bytes = after_bytes
        self._killed = ""
        self._gone_bytes = 0
        self._last_s = lab.now_s()
        self.longest_s = 0.0

    async def moved(self, count: int) -> None:
        """Take note that bytes have gone."""
        now_s = self._lab.now_s()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s
        self._gone_bytes += count
        if self._gone_bytes >= self._after_bytes and not self._killed:
            self._killed = node_in_use(self._lab.host(ALICE))
            await self._lab.kill(self._killed)

    async def undo(self) -> None:
        """Start the node again, and wait until it is of use."""
        await self._lab.start(self._killed)
        await attach_fully(self._lab.host(ALICE), deadline_s=ATTACH_LIMIT_S)


async def fetched(stream: ResumableStream, _: int, killing: Killing) -> str:
    """Read to the end; return the SHA-256 of it."""
    whole = hashlib.sha256()
    while piece := await stream.read(deadline_s=PATIENCE_S):
        whole.update(piece)
        await killing.moved(len(piece))
    return whole.hexdigest()


async def sent(stream: ResumableStream, count: int, killing: Killing) -> str:
    """Write so many bytes; return the SHA-256 that the server says of what it got."""
    for piece in pieces(count):
        await stream.write(piece, deadline_s=PATIENCE_S)
        await killing.moved(len(piece))
    await stream.finish(deadline_s=PATIENCE_S)
    said = b""
    while piece := await stream.read(deadline_s=PATIENCE_S):
        said += piece
    return said.decode()


def digest_of(count: int) -> str:
    """Return the SHA-256 of what a server sends of a long body."""
    whole = hashlib.sha256()
    for piece in pieces(count):
        whole.update(piece)
    return whole.hexdigest()
