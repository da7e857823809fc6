"""Demo: the worker of one service is killed under load; the other services do not notice."""

import asyncio
import os
import signal
from itertools import pairwise

from ei.host.numbered import Collected
from ei.host.traffic import Sent
from ei.host.verbs_ping import Pings
from ei.lab.charts import Mark
from ei.lab.demo_context import LISTENERS, SETTLE_S, SPEAKER, Demo
from ei.lab.promises import promise
from ei.lab.report import Load

ECHO = 17
PORT = 7
ASK_LIMIT_S = 0.2
BACK_LIMIT_S = 2.0
LOAD_S = 4.0
KILL_AT_S = 1.5
BIN_S = 0.1
RATE_PPS = 200


async def kill_a_worker(demo: Demo) -> None:
    """Use echo and delivery, kill echo's worker, see who notices."""
    node = demo.topology.hosts[SPEAKER].nodes[0]
    receiver = LISTENERS[1]
    demo.step(f"killing the worker of echo at {node} while {SPEAKER} uses echo and delivery")
    load = _Load(demo, node, receiver)
    await demo.do(receiver, "collect", {"name": "stream", "port": PORT})
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(load.use_delivery())
        for work in (load.use_echo(), load.watch(), load.kill()):
            _ = group.create_task(work)
    await asyncio.sleep(SETTLE_S)
    stream = await demo.ask(receiver, "collected", Collected, {"name": "stream", "is_last": True})
    sent = sending.result().sent
    lost = sent - stream.distinct
    demo.load = Load(
        BIN_S,
        [
            ("echo: new flows answered", binned([(at_s, 1.0) for at_s in load.answered])),
            ("delivery: datagrams delivered", binned(increments(load.delivered))),
        ],
        [Mark(at_s, text) for text, at_s in load.moments.items()],
    )
    back_ms = load.back_ms()
    demo.done(f"echo answers again after {back_ms} ms; delivery lost {lost} of {sent} meanwhile")
    demo.add(
        promise("a killed worker is back", back_ms, "<=", BACK_LIMIT_S * 1e3, unit="ms"),
        promise(
            "datagrams of another service lost meanwhile",
            lost,
            "==",
            0,
            unit="datagrams",
            is_valid=sent >= LOAD_S * RATE_PPS,
        ),
    )


class _Load:
    """What runs side by side for `LOAD_S` seconds."""

    def __init__(self, demo: Demo, node: str, receiver: str) -> None:
        self._demo = demo
        self._node = node
        self._receiver = receiver
        self._began_s = asyncio.get_running_loop().time()
        self.moments: dict[str, float] = {}
        self.answered: list[float] = []
        self.delivered: list[tuple[float, int]] = []

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    def back_ms(self) -> float | None:
        """Return how long after the death of its worker echo answered a new flow again."""
        started_s = self.moments.get("started again", LOAD_S)
        first = next((at_s for at_s in self.answered if at_s > started_s), None)
        return None if first is None else round((first - self.moments["killed"]) * 1e3, 1)

    async def use_echo(self) -> None:
        while self.now_s() < LOAD_S:
            # Each ask is a new flow, so that each needs the worker.
            asked = {"service": ECHO, "deadline_s": ASK_LIMIT_S}
            pings = await self._demo.ask(SPEAKER, "ask", Pings, asked)
            if pings.rtts_s:
                self.answered.append(self.now_s())

    async def use_delivery(self) -> Sent:
        wanted = {
            "to": self._receiver,
            "port": PORT,
            "count": int(LOAD_S * RATE_PPS),
            "rate_pps": RATE_PPS,
        }
        return await self._demo.ask(SPEAKER, "send_datagrams", Sent, wanted)

    async def watch(self) -> None:
        while self.now_s() < LOAD_S:
            collected = await self._demo.ask(
                self._receiver, "collected", Collected, {"name": "stream"}
            )
            self.delivered.append((self.now_s(), collected.distinct))
            await asyncio.sleep(BIN_S / 2)

    async def kill(self) -> None:
        pid = await self._worker_pid()
        await asyncio.sleep(KILL_AT_S)
        self.moments["killed"] = self.now_s()
        os.kill(pid, signal.SIGKILL)
        while self.now_s() < LOAD_S:
            if await self._worker_pid() not in {0, pid}:
                self.moments["started again"] = self.now_s()
                return

    async def _worker_pid(self) -> int:
        status = await self._demo.node(self._node)
        return next(worker.pid for worker in status.workers if worker.service == "echo")


def increments(totals: list[tuple[float, int]]) -> list[tuple[float, float]]:
    """Return what was added between two readings, spread evenly over the time between them."""
    parts = 10
    return [
        (before_s + (at_s - before_s) * (part + 0.5) / parts, (total - before) / parts)
        for (before_s, before), (at_s, total) in pairwise(totals)
        for part in range(parts)
    ]


def binned(happened: list[tuple[float, float]]) -> list[float]:
    """Return how much happened in each bin of `BIN_S`, from (when, how much)."""
    bins = [0.0] * int(LOAD_S / BIN_S)
    for at_s, count in happened:
        if at_s < LOAD_S:
            bins[int(at_s / BIN_S)] += count
    return bins
