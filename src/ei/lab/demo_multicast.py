"""Demo: one host multicasts a numbered stream to six others; copies are counted on every pipe."""

import asyncio

import msgspec

from ei.errors import DeadlineError
from ei.host.numbered import Collected
from ei.host.traffic import Sent
from ei.lab.accounts import count_copies
from ei.lab.demo_context import LISTENERS, SETTLE_S, SPEAKER, Demo
from ei.lab.promises import promise
from ei.services.multicast.messages import Join

MULTICAST = 48
GROUP = "news.isp-a"
PACKETS = 2_000
RATE_PPS = 1_000
PROBES = 50


async def multicast_stream(demo: Demo) -> None:
    """One host multicasts a numbered stream to six others."""
    demo.step(f"{len(LISTENERS)} hosts join {GROUP}; {SPEAKER} multicasts a numbered stream to it")
    await _join(demo)
    for listener in LISTENERS:
        await _collect(demo, listener, "news")
    before = await demo.statistics()
    stream = {"service": MULTICAST, "metadata": GROUP, "count": PACKETS, "rate_pps": RATE_PPS}
    sent = (await demo.ask(SPEAKER, "send_packets", Sent, stream)).sent
    await asyncio.sleep(SETTLE_S)
    after = await demo.statistics()
    last = {"name": "news", "is_last": True}
    heard = [await demo.ask(listener, "collected", Collected, last) for listener in LISTENERS]
    copies = count_copies(before, after, packets=sent)
    demo.copies = [(f"{a} → {demo.name_of(b)}", each) for (a, b), each in copies.by_pipe.items()]
    complete = sum(each.distinct == sent for each in heard)
    demo.done(
        f"{complete} of {len(LISTENERS)} hosts got all {sent} packets, "
        f"{copies.per_pipe:g} copy of each on each of {len(copies.by_pipe)} pipes"
    )
    demo.add(
        promise("hosts that got every packet", complete, "==", len(LISTENERS), unit="hosts"),
        promise(
            "packets that came twice",
            sum(each.duplicates for each in heard),
            "==",
            0,
            unit="packets",
        ),
        promise(
            "copies of a packet on a pipe",
            copies.per_pipe,
            "==",
            1.0,
            unit="copies",
            baseline=float(len(LISTENERS)),
            is_valid=sent == PACKETS,
        ),
    )


async def _join(demo: Demo) -> None:
    """Have all listeners join, and return when each has heard a packet.

    Raises:
        DeadlineError: one of them never did.
    """
    join = msgspec.msgpack.encode(Join(group=demo.group(GROUP))).hex()
    for listener in LISTENERS:
        await _collect(demo, listener, "probe")
        await demo.do(listener, "control", {"service": MULTICAST, "message": join})
    deaf = set(LISTENERS)
    for _ in range(PROBES):
        _ = await demo.ask(
            SPEAKER, "send_packets", Sent, {"service": MULTICAST, "metadata": GROUP, "count": 1}
        )
        await asyncio.sleep(SETTLE_S / 3)
        for listener in sorted(deaf):
            heard = await demo.ask(listener, "collected", Collected, {"name": "probe"})
            if heard.packets:
                deaf.remove(listener)
        if not deaf:
            break
    for listener in LISTENERS:
        _ = await demo.ask(listener, "collected", Collected, {"name": "probe", "is_last": True})
    if deaf:
        raise DeadlineError(f"nothing sent to {GROUP} reached {', '.join(sorted(deaf))}")


async def _collect(demo: Demo, listener: str, name: str) -> None:
    collect = {"name": name, "service": MULTICAST, "metadata": GROUP}
    await demo.do(listener, "collect", collect)
