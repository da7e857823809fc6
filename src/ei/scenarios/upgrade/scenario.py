"""Upgrade: a module that keeps state goes up and down under load; nothing accepted is lost.

The module holds no packets. Those that a version holds when it makes room (`HoldPacket`), for an
answer of the directory, are dropped (`worker_lost`): decision 255.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ei.errors import ServiceError
from ei.lab.accounts import Books
from ei.lab.lab import Lab
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.node.status import ServiceStatus
from ei.scenarios.upgrade.load import Seen, kept, loaded

BACKENDS = ("processes",)
HERE = Path(__file__).parent
SERVICE = "ledger"
NODE, NEIGHBOUR, HOST = "sn1", "sn2", "alice"
FIRST, SECOND = 1, 2
REACHED = 0.95
"""Of the rate, at least: with less there is no figure."""
LATE_LIMIT_S = 0.25
CALM_S = 2.0
CHANGE_LIMIT_S = 30.0
GAP_LIMIT_S = 1.0
BACK_LIMIT_S = 5.0
READ_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """How many packets a second, and how often up and down."""

    rate_pps: int
    rounds: int


FULL = Size(rate_pps=5_000, rounds=3)


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Change versions under load, three times up and down; then try two that do not live."""
    async for each in run_sized(lab, FULL):
        yield each


async def run_sized(lab: Lab, size: Size) -> AsyncIterator[Promise]:
    """Do so under a load of this size."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("acknowledged, and lost", "==", 0, unit="messages")
        return
    changes, host = Changes(lab), lab.host(HOST)
    began_s = lab.now_s()
    async with loaded(lab, host, size.rate_pps) as seen:
        await lab.sleep(CALM_S)
        for _ in range(size.rounds):
            await changes.to("second", SECOND, seen)
            await changes.to("first", FIRST, seen)
        rate = seen.sent / (lab.now_s() - began_s)
    is_loaded = rate >= REACHED * size.rate_pps and seen.late_s <= LATE_LIMIT_S
    drops = await changes.drops()
    async with loaded(lab, host, size.rate_pps / 10, first=seen.tried) as later:
        await lab.sleep(CALM_S)
        refusal = await changes.refused()
        back_s = await changes.give_way(later)
    numbers = await kept(host, seen.tried + later.tried)
    lost = len((seen.acknowledged | later.acknowledged) - numbers)
    yield promise("sent", round(rate), ">=", REACHED * size.rate_pps, unit="packets/s")
    yield promise(
        "lateness of the load itself", round(seen.late_s, 3), "<=", LATE_LIMIT_S, unit="s"
    )
    yield promise("changes of version", len(changes.gaps_s), "==", 2 * size.rounds)
    yield promise("acknowledged, and lost", lost, "==", 0, unit="messages", is_valid=is_loaded)
    yield promise(
        "sent, and never acknowledged",
        seen.sent - len(seen.acknowledged),
        "==",
        0,
        unit="messages",
        is_valid=is_loaded,
    )
    yield promise("dropped, by any reason", sum(drops.values()), "==", 0, unit="packets")
    yield promise("packets without a fate", await changes.homeless(), "==", 0, unit="packets")
    yield promise(
        "longest time without an answer over a change",
        round(max(changes.gaps_s, default=0.0), 3),
        "<=",
        GAP_LIMIT_S,
        unit="s",
        is_valid=is_loaded,
    )
    neighbour = await changes.service(NEIGHBOUR)
    counters = neighbour.counters
    yield promise("greetings that versions exchanged", counters["hellos"], ">=", size.rounds)
    yield promise(
        "messages that the version before does not know, refused (bad_control)",
        counters["bad_control"],
        ">=",
        size.rounds,
    )
    yield promise("starts of the neighbour's worker", await changes.starts(NEIGHBOUR), "==", 1)
    yield promise("what does not start is refused, and says why", refusal, "==", limit=True)
    yield promise("what dies gives way to the version before", back_s, "<=", BACK_LIMIT_S, unit="s")


@dataclass(slots=True)
class Changes:
    """Changes of version of one module at one node.

    Attributes:
        gaps_s: The longest time without an answer over each change.
    """

    lab: ProcessLab
    gaps_s: list[float] = field(default_factory=list[float])

    async def to(self, folder: str, version: int, seen: Seen) -> None:
        """Go over to a version; return when it answers, and a moment later."""
        seen.gap_s = 0.0
        await self._upgrade(folder)

        async def is_there() -> bool:
            return seen.last == version

        if await until(self.lab, is_there, limit_s=CHANGE_LIMIT_S) is not None:
            await self.lab.sleep(CALM_S)
            self.gaps_s.append(seen.gap_s)

    async def refused(self) -> bool:
        """Whether a version that does not start is refused, with its reason, and the old runs."""
        before = await self.service(NODE)
        try:
            await self._upgrade("broken")
        except ServiceError as error:
            after = await self.service(NODE)
            return "never tried" in str(error) and after.version == before.version
        return False

    async def give_way(self, seen: Seen) -> float | None:
        """Run a version that dies; return after what time the one before answers."""
        before = await self.service(NODE)
        answers = seen.versions.total()
        await self._upgrade("dying")
        began_s = self.lab.now_s()

        async def is_back() -> bool:
            now = await self.service(NODE)
            return now.version == before.version and seen.last_s > began_s

        took_s = await until(self.lab, is_back, limit_s=CHANGE_LIMIT_S, every_s=READ_EVERY_S)
        return took_s if seen.versions.total() > answers else None

    async def service(self, node: str) -> ServiceStatus:
        """Return what a node says of the module."""
        status = await self.lab.node_status(node)
        return next(each for each in status.services if each.name == SERVICE)

    async def starts(self, node: str) -> int:
        """Return how often the module's worker was started at a node."""
        workers = (await self.lab.running_status(node)).workers
        return next(each.starts for each in workers if each.service == SERVICE)

    async def drops(self) -> Mapping[str, int]:
        """Return what the module's node has dropped of its packets, by reason."""
        return (await self.service(NODE)).dropped

    async def homeless(self) -> int:
        """Return how many packets of both nodes have no fate, or two."""
        counted = [
            msgspec.convert(await self.lab.statistics(name), Books) for name in (NODE, NEIGHBOUR)
        ]
        return sum(each.imbalance + each.waiting for each in counted)

    async def _upgrade(self, folder: str) -> None:
        wanted = {"service": SERVICE, "folder": str(HERE / folder / SERVICE)}
        _ = await self.lab.ask_node(NODE, "upgrade", wanted, deadline_s=CHANGE_LIMIT_S)
