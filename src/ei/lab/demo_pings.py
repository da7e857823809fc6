"""Demo: each host pings each other host."""

import asyncio
import statistics

from ei.host.verbs_ping import Pings
from ei.lab.demo_context import Demo
from ei.lab.promises import promise

PINGS = 4


async def ping_everybody(demo: Demo) -> None:
    """Each host pings each other host."""
    hosts = list(demo.topology.hosts)
    demo.step(f"each of {len(hosts)} hosts pings the {len(hosts) - 1} others")
    near: list[float] = []
    far: list[float] = []

    async def from_one(source: str) -> int:
        answered = 0
        for destination in hosts:
            if destination == source:
                continue
            pings = await demo.ask(source, "ping", Pings, {"to": destination, "count": PINGS})
            answered += len(pings.rtts_s)
            is_near = demo.topology.hosts[source].domain == demo.topology.hosts[destination].domain
            (near if is_near else far).extend(rtt_s * 1e3 for rtt_s in pings.rtts_s)
        demo.narrator.progress(f"{source} has an answer from everybody")
        return answered

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(from_one(host)) for host in hosts]
    answered = sum(task.result() for task in tasks)
    sent = PINGS * len(hosts) * (len(hosts) - 1)
    demo.round_trips_ms = [("same domain", near), ("across domains", far)]
    near_ms, far_ms = (statistics.median(rtts_ms or [0.0]) for rtts_ms in (near, far))
    demo.done(
        f"{answered} of {sent} pings answered, "
        f"median {near_ms:.1f} ms in a domain, {far_ms:.1f} ms across"
    )
    demo.add(promise("every host answers every other", answered, "==", sent, unit="pings"))
