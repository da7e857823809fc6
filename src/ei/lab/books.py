"""`make books`: random work and faults over a lab of real daemons, whose books always balance.

    python -m ei.lab.books [SECONDS] [SEED]

Several at a time of: pings, messages, bursts that overload, streams, packets that nobody takes;
workers and nodes that are killed, frozen nodes, links that lose, repeat, corrupt or carry nothing.
Meanwhile the statistics of every node are read again and again, and each reading must balance.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from ei.errors import EiError
from ei.lab.accounts import Books
from ei.lab.catalogue import find_topology
from ei.lab.load import carry, ping_pairs, send_with_receipts, until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, plainly, promise
from ei.lab.topology import Impairment

if TYPE_CHECKING:
    from ei.lab.topology import Topology

SECONDS = 600.0
TOPOLOGY = "threedomains"
AT_ONCE = 6
FAULT_EVERY_S = 1.0
READ_EVERY_S = 0.05
QUIET_S = 30.0
LEAST_PER_S = 50
"""Readings count as a measurement from so many packets a second on, of all nodes."""
LEAST_KINDS = 4
BURST = 2_000
STREAM_BYTES = 100_000
MESSAGES = 20
PORT = 7
SILENT_PORT = 8
UNKNOWN_SERVICE = 4_000
DELIVERY = 16
VICTIM = "delivery"
PATIENCE_S = 2.0

Act = Callable[[ProcessLab, Random], Coroutine[Any, Any, object]]


@dataclass(slots=True)
class Course:
    """What was seen.

    Attributes:
        readings: Of the books of one node each.
        wrong: Readings that did not balance: node and books.
        acts: How often each kind of work was done, and fault happened.
        packets: Received by all nodes, of all lives that they had.
        drops: By reason.
        waiting: Packets and copies that wait at the end.
    """

    readings: int = 0
    wrong: list[tuple[str, Books]] = field(default_factory=list[tuple[str, Books]])
    acts: Counter[str] = field(default_factory=Counter[str])
    packets: int = 0
    drops: Counter[str] = field(default_factory=Counter[str])
    waiting: int = 0

    def note(self, name: str, before: Books | None, books: Books) -> None:
        """Take one reading of a node.

        Args:
            before: The last one of the same life; `None` when this is its first.
        """
        self.readings += 1
        self.packets += books.received - (0 if before is None else before.received)
        for which in ("dropped", "missed_dropped", "copies_dropped"):
            counts: Mapping[str, int] = getattr(books, which)
            known: Mapping[str, int] = {} if before is None else getattr(before, which)
            self.drops.update({word: count - known.get(word, 0) for word, count in counts.items()})
        if books.imbalance:
            self.wrong.append((name, books))


def judge(course: Course, *, seconds: float) -> list[Promise]:
    """Hold what was seen against law 6."""
    kinds = len([word for word, count in course.drops.items() if count])
    is_valid = course.packets >= LEAST_PER_S * seconds and kinds >= LEAST_KINDS
    first = course.wrong[0] if course.wrong else ""
    return [
        promise("packets received by nodes", course.packets, ">=", round(LEAST_PER_S * seconds)),
        promise("reasons for which some were dropped", kinds, ">=", LEAST_KINDS),
        promise(
            f"of {course.readings} readings of the books, wrong {first}".strip(),
            len(course.wrong),
            "==",
            0,
            is_valid=is_valid,
        ),
        promise("packets and copies that wait in quiet", course.waiting, "==", 0, unit="packets"),
    ]


async def keep_books(
    topology: "Topology",
    *,
    seconds: float,
    seed: int,
    environ: Mapping[str, str] = os.environ,
) -> Course:
    """Run random work and faults for so long; return what was seen.

    Raises:
        EiError: the lab did not start.
    """
    lab = ProcessLab(topology, seed=seed, environ=environ)
    course = Course()
    try:
        await lab.open()
        ends_s = lab.now_s() + seconds
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_read_on(lab, course))
            async with asyncio.TaskGroup() as working:
                for number in range(AT_ONCE):
                    random = Random(f"{seed} {number}")
                    _ = working.create_task(_go_on(lab, course, random, WORK, ends_s, 0.0))
                random = Random(f"{seed} faults")
                every_s = FAULT_EVERY_S
                _ = working.create_task(_go_on(lab, course, random, FAULTS, ends_s, every_s))
            _ = await until(lab, lambda: _is_quiet(lab), limit_s=QUIET_S)
            _ = reading.cancel()
        for books in (await _read_all(lab)).values():
            course.waiting += books.waiting + books.copies_waiting
    finally:
        await lab.close()
    return course


async def _go_on(  # noqa: PLR0913, PLR0917 a loop and all that it needs
    lab: ProcessLab,
    course: Course,
    random: Random,
    acts: Mapping[str, Act],
    ends_s: float,
    every_s: float,
) -> None:
    """Do one thing after another."""
    while lab.now_s() < ends_s:
        name = random.choice(list(acts))
        course.acts[name] += 1
        try:
            _ = await acts[name](lab, random)
        except* EiError:
            pass  # a fault hit it
        await lab.sleep(every_s)


async def _read_on(lab: ProcessLab, course: Course) -> None:
    lives: dict[str, Books] = {}
    while True:
        for name, books in (await _read_all(lab)).items():
            before = lives.get(name)
            if before is not None and books.received < before.received:
                before = None
            course.note(name, before, books)
            lives[name] = books
        await lab.sleep(READ_EVERY_S)


async def _read_all(lab: ProcessLab) -> dict[str, Books]:
    """Return the books of the nodes that run."""
    read: dict[str, Books] = {}
    for name in lab.topology.nodes:
        with suppress(EiError):
            read[name] = msgspec.convert(await lab.statistics(name), Books)
    return read


async def _is_quiet(lab: ProcessLab) -> bool:
    read = await _read_all(lab)
    is_done = not any(books.waiting or books.copies_waiting for books in read.values())
    return is_done and len(read) == len(lab.topology.nodes)


# -- work -----------------------------------------------------------------------------------------


def _pair(lab: ProcessLab, random: Random) -> tuple[str, str]:
    source, to = random.sample(list(lab.hosts), 2)
    return source, to


async def _ping(lab: ProcessLab, random: Random) -> None:
    _ = await ping_pairs(lab, [_pair(lab, random)], deadline_s=PATIENCE_S)


async def _send(lab: ProcessLab, random: Random) -> None:
    source, to = _pair(lab, random)
    port = random.choice((PORT, SILENT_PORT))
    with lab.host(to).datagrams(PORT):
        _ = await send_with_receipts(
            lab.host(source), to, port=port, count=MESSAGES, deadline_s=PATIENCE_S
        )


async def _burst(lab: ProcessLab, random: Random) -> None:
    """Hand over more at once than queues hold."""
    source, to = _pair(lab, random)
    with lab.host(source).datagrams() as outbox:
        for _ in range(BURST):
            _ = outbox.try_send(lab.host(to).address, bytes(100), port=SILENT_PORT)
        await lab.sleep(0.1)


async def _stream(lab: ProcessLab, random: Random) -> None:
    source, to = _pair(lab, random)
    content = random.randbytes(STREAM_BYTES)
    _ = await carry(lab.host(source), lab.host(to), content, deadline_s=PATIENCE_S)


async def _call_nobody(lab: ProcessLab, random: Random) -> None:
    """Name a service that is nowhere, or metadata that the service cannot read."""
    source, _ = _pair(lab, random)
    service = random.choice((UNKNOWN_SERVICE, DELIVERY))
    with lab.host(source).call(service, metadata=random.randbytes(5)) as channel:
        _ = channel.send(*[b"hello"] * 32)
        await lab.sleep(0.1)


WORK: Mapping[str, Act] = {
    "ping": _ping,
    "send": _send,
    "burst": _burst,
    "stream": _stream,
    "call nobody": _call_nobody,
}


# -- faults ---------------------------------------------------------------------------------------


def _link(lab: ProcessLab, random: Random) -> tuple[str, str]:
    """Return a host and one of its nodes, or two nodes."""
    if random.random() < 0.5:  # noqa: PLR2004 a coin
        host = random.choice(list(lab.topology.hosts.values()))
        return host.name, random.choice(host.nodes)
    a, b = random.sample(list(lab.topology.nodes), 2)
    return a, b


async def _impair(lab: ProcessLab, random: Random) -> None:
    bad = Impairment(
        delay_ms=random.choice((0.0, 20.0)),
        loss=random.choice((0.0, 0.1, 0.3)),
        duplicate=random.choice((0.0, 0.2)),
        reorder=random.choice((0.0, 0.2)),
        corrupt=random.choice((0.0, 0.1)),
        is_cut=random.random() < 0.2,  # noqa: PLR2004 one in five
    )
    await _for_a_while(lab, random, bad)


async def _for_a_while(lab: ProcessLab, random: Random, bad: Impairment) -> None:
    a, b = _link(lab, random)
    await lab.impair(a, b, bad)
    try:
        await lab.sleep(random.uniform(0.2, 2.0))
    finally:
        await lab.heal(a, b)


async def _kill_worker(lab: ProcessLab, random: Random) -> None:
    await lab.kill_worker(random.choice(list(lab.topology.nodes)), VICTIM)


async def _kill_node(lab: ProcessLab, random: Random) -> None:
    node = random.choice(list(lab.topology.nodes))
    await lab.kill(node)
    await lab.sleep(random.uniform(0.1, 1.0))
    await lab.start(node)


async def _freeze_node(lab: ProcessLab, random: Random) -> None:
    node = random.choice(list(lab.topology.nodes))
    await lab.freeze(node)
    try:
        await lab.sleep(random.uniform(0.1, 1.0))
    finally:
        await lab.thaw(node)


FAULTS: Mapping[str, Act] = {
    "impair a link": _impair,
    "kill a worker": _kill_worker,
    "kill a node": _kill_node,
    "freeze a node": _freeze_node,
}


def main(words: list[str]) -> int:
    """Keep books; return 1 unless they balance."""
    seconds = float(words[0]) if words else SECONDS
    seed = int(words[1]) if len(words) > 1 else 1
    course = asyncio.run(keep_books(find_topology(TOPOLOGY), seconds=seconds, seed=seed))
    rows = judge(course, seconds=seconds)
    _ = sys.stdout.write(plainly(rows))
    summary = {"acts": course.acts, "drops": course.drops}
    _ = sys.stdout.write(f"{seconds:g} s with seed {seed}: {json.dumps(summary)}\n")
    return 0 if all(row.status == "ok" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
