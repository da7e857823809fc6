"""Demo: one host multicasts a numbered stream to six others; copies are counted on every pipe."""

import asyncio

import msgspec

from ei.host.numbered import Collected
from ei.host.traffic import Sent
from ei.lab.demo_context import LISTENERS, SETTLE_S, SPEAKER, Demo
from ei.lab.promises import promise
from ei.services.multicast.service import Join

MULTICAST = 48
GROUP = "news.isp-a"
PACKETS = 2_000
RATE_PPS = 1_000


async def multicast_stream(demo: Demo) -> None:
    """One host multicasts a numbered stream to six others."""
    demo.step(f"{len(LISTENERS)} hosts join {GROUP}; {SPEAKER} multicasts a numbered stream to it")
    join = msgspec.msgpack.encode(Join(group=demo.group(GROUP))).hex()
    for listener in LISTENERS:
        await demo.do(listener, "collect", name="news", service=MULTICAST, metadata=GROUP)
        await demo.do(listener, "control", service=MULTICAST, message=join)
    await asyncio.sleep(SETTLE_S)
    before = await _copies(demo)
    sent = await demo.ask(
        SPEAKER,
        "send_packets",
        Sent,
        {"service": MULTICAST, "metadata": GROUP, "count": PACKETS, "rate_pps": RATE_PPS},
    )
    await asyncio.sleep(SETTLE_S)
    after = await _copies(demo)
    heard = {
        listener: await demo.ask(
            listener, "collected", Collected, {"name": "news", "is_last": True}
        )
        for listener in LISTENERS
    }
    # Pipes that only carried what keeps them up, and joins, carried no copies.
    crossed = {
        pipe: (after[pipe] - before[pipe]) / sent.sent
        for pipe in after
        if after[pipe] - before[pipe] > sent.sent / 10
    }
    demo.copies = [(f"{a} → {b}", copies) for (a, b), copies in sorted(crossed.items())]
    complete = sum(each.distinct == sent.sent for each in heard.values())
    most = max(crossed.values(), default=0.0)
    demo.done(
        f"{complete} of {len(LISTENERS)} hosts got all {sent.sent} packets; "
        f"{len(crossed)} pipes, at most {most:.2f} copies of each packet on one"
    )
    demo.add(
        promise("hosts that got every packet", complete, "==", len(LISTENERS), unit="hosts"),
        promise(
            "packets that came twice",
            sum(each.duplicates for each in heard.values()),
            "==",
            0,
            unit="packets",
        ),
        promise(
            "copies of a packet on the busiest pipe",
            round(most, 2),
            "==",
            1.0,
            unit="copies",
            baseline=float(len(LISTENERS)),
        ),
    )


async def _copies(demo: Demo) -> dict[tuple[str, str], int]:
    """Return how many packets each node sent on each of its pipes."""
    return {
        (name, peer.name): peer.sent
        for name in demo.topology.nodes
        for peer in (await demo.node(name)).node.peers
    }
