"""What others notice of five hostile modules: windows with and without, of the same packets."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ei.errors import DeadlineError
from ei.host.channels import DatagramChannel, ServiceChannel
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.scenarios.hostile.ground import ALICE, BOB, CALM, ECHO, HOSTILE, MALLORY, MANIFESTS

KINDS = ("delivery, by a decision", "echo, asked anew", "a stranger's, asked anew")
LOAD: Mapping[str, tuple[bytes, int]] = {
    "looping": (b"loop", 20),
    "bloating": (b"fill", 20),
    "storming": (b"endless", 20),
    "crashing": (b"crash", 100),
    "snooping": (b"snoop", 1),
}
"""What each hostile module is told, and how often a second. What the last one finds and sends are
some hundred packets, which are this program's to take."""

TICK_S = 0.05
WINDOW_S = 2.0
WARM_S = 1.0
"""Until those who are hostile have shown it, or have got over it."""

PAIRS = 5
PACE_S = 0.003
WAIT_S = 1.0
LIMIT = 1.2
LEAST_PROBES = 100
PORT = 12


@dataclass(slots=True)
class Window:
    """How long packets took, by kind, in seconds; those that never came took `WAIT_S`."""

    taken_s: Mapping[str, list[float]] = field(
        default_factory=lambda: {kind: list[float]() for kind in KINDS}
    )
    lost: int = 0

    def p99_ms(self, kind: str) -> float:
        """Return what 99 of 100 were faster than, in milliseconds."""
        ordered = sorted(self.taken_s[kind])
        return ordered[int(0.99 * len(ordered))] * 1e3 if ordered else WAIT_S * 1e3


Pair = tuple[Window, Window]
"""One without, and the one with them that followed."""


async def notice(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Measure; what is missed is measured once more before it counts."""
    promises = judge(await measure(lab))
    if any(each.status != "ok" for each in promises):
        again = judge(await measure(lab))
        promises = [b if a.status != "ok" else a for a, b in zip(promises, again, strict=True)]
    for each in promises:
        yield each


def judge(pairs: Sequence[Pair]) -> list[Promise]:
    """Hold the median of what windows say against what is promised."""
    windows = [window for pair in pairs for window in pair]
    fewest = min(len(window.taken_s[kind]) for window in windows for kind in KINDS)
    found: list[Promise] = []
    for kind in KINDS:
        calm_ms = [calm.p99_ms(kind) for calm, _ in pairs]
        ratios = [hostile.p99_ms(kind) / calm.p99_ms(kind) for calm, hostile in pairs]
        found.append(
            promise(
                f"{kind}: p99 beside {len(HOSTILE)} hostile modules, of that without"
                f" ({median(calm_ms):.2f} ms)",
                round(median(ratios), 3),
                "<=",
                LIMIT,
                unit="x",
                baseline=1.0,
                is_valid=fewest >= LEAST_PROBES,
            )
        )
    lost = sum(window.lost for window in windows)
    found.append(promise("packets of others that were lost", lost, "==", 0, unit="packets"))
    return found


async def measure(lab: ProcessLab) -> list[Pair]:
    """Measure in turns, without and with them."""
    return [
        (await _window(lab, is_hostile=False), await _window(lab, is_hostile=True))
        for _ in range(PAIRS)
    ]


async def _window(lab: ProcessLab, *, is_hostile: bool) -> Window:
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        _ = group.create_task(_press(lab, is_over, is_hostile=is_hostile))
        await lab.sleep(WARM_S)
        window = await _probe(lab)
        is_over.set()
    return window


async def _press(lab: ProcessLab, is_over: asyncio.Event, *, is_hostile: bool) -> None:
    """Send hostile modules packets: the same, whether they say to be hostile or not."""
    mallory = lab.host(MALLORY)
    channels = {name: mallory.call(MANIFESTS[name].id) for name in LOAD}
    sent, began_s = dict.fromkeys(LOAD, 0), lab.now_s()
    try:
        while not is_over.is_set():
            for name, (way, per_s) in LOAD.items():
                due = int(per_s * (lab.now_s() - began_s)) - sent[name]
                _ = channels[name].send(*[b"now"] * due, metadata=way if is_hostile else CALM)
                sent[name] += due
            await lab.sleep(TICK_S)
    finally:
        for channel in channels.values():
            channel.close()


async def _probe(lab: ProcessLab) -> Window:
    window = Window()
    alice, bob = lab.host(ALICE), lab.host(BOB)
    ends_s = lab.now_s() + WINDOW_S
    with (
        bob.datagrams(PORT) as inbox,
        alice.datagrams() as outbox,
        alice.call(MANIFESTS["honest"].id) as honest,
    ):
        while lab.now_s() < ends_s:
            by_decision, anew, strangers = KINDS
            await _time(lab, window, by_decision, _send(outbox, bob.name, inbox))
            with alice.call(ECHO) as channel:
                await _time(lab, window, anew, _ask(channel))
            await _time(lab, window, strangers, _ask(honest))
            await lab.sleep(PACE_S)
    return window


async def _send(outbox: DatagramChannel, to: str, inbox: DatagramChannel) -> None:
    _ = outbox.try_send(to, b"there?", port=PORT)
    _ = await inbox.receive(deadline_s=WAIT_S)


async def _ask(channel: ServiceChannel) -> None:
    _ = await channel.ask(b"there?", deadline_s=WAIT_S)


async def _time(
    lab: ProcessLab, window: Window, kind: str, packet: Coroutine[Any, Any, None]
) -> None:
    began_s = lab.now_s()
    try:
        await packet
    except DeadlineError:
        window.lost += 1
    window.taken_s[kind].append(lab.now_s() - began_s)
