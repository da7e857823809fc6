"""Failover: nodes die, freeze and are cut off under load, and the load shows a short gap only."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from ei.lab.lab import Lab
from ei.lab.load import ping_pairs, until
from ei.lab.promises import Promise, promise
from ei.scenarios.failover.load import Seen, load

GAP_LIMIT_MS = 500.0
LATE_LIMIT_MS = 200.0
"""A gap that is too long says nothing of a network whose hosts were kept from running so long."""
BACK_LIMIT_S = 30.0
"""A host that has nothing to send looks after its nodes every 15 s."""


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Measure without a fault, then with each one, on hosts that no fault before has moved."""
    # A way that is decided before all nodes have met lasts as long as any other.
    await until_whole(lab)
    calm = await measure(lab, "alice", "bob")
    for each in promises("no fault", calm, calm=calm):
        yield each
    seen = await measure(lab, "alice", "bob", fault="cut")
    await lab.heal("bob", "sn1.isp-b")
    for each in promises("link cut", seen, calm=calm):
        yield each
    seen = await measure(lab, "carol", "dave", fault="freeze")
    await lab.thaw("sn2.isp-b")
    for each in promises("node frozen", seen, calm=calm):
        yield each
    await until_whole(lab)
    seen = await measure(lab, "erin", "frank", fault="kill")
    await lab.start("sn1.isp-b")
    for each in promises("node killed", seen, calm=calm):
        yield each
    await until_whole(lab)
    seen = await measure(lab, "grace", "heidi", fault="kill_both")
    for each in promises("both killed", seen, calm=calm):
        yield each


async def measure(lab: Lab, source: str, to: str, *, fault: str = "") -> Seen:
    """Load the way from one host to another; `fault` hits the first node of the receiver."""
    _ = await until(lab, lambda: is_reached(lab, source, to), limit_s=BACK_LIMIT_S)
    sender, receiver = lab.host(source), lab.host(to)
    node = receiver.status().attachments[0].node

    async def strike() -> None:
        match fault:
            case "cut":
                await lab.cut(to, node)
            case "freeze":
                await lab.freeze(node)
            case "kill":
                await lab.kill(node)
            case "kill_both":
                own = sender.status().attachments[0].node
                _ = await asyncio.gather(lab.kill(node), lab.kill(own))
            case _:
                pass

    return await load(lab, sender, receiver, fault=strike)


def promises(name: str, seen: Seen, *, calm: Seen) -> Iterator[Promise]:
    """Hold what a pair of hosts saw against the limits."""
    for what, gap, without in (
        ("flow", seen.flow_gap_ms, calm.flow_gap_ms),
        ("stream", seen.stream_gap_ms, calm.stream_gap_ms),
    ):
        yield promise(
            f"{name}: gap of the {what}",
            gap,
            "<=",
            GAP_LIMIT_MS,
            unit="ms",
            baseline=without,
            is_valid=seen.is_loaded and (gap <= GAP_LIMIT_MS or seen.late_ms <= LATE_LIMIT_MS),
        )
    yield promise(f"{name}: SHA-256 of the stream", seen.received_digest, "==", seen.sent_digest)
    yield promise(
        f"{name}: acknowledged, and lost",
        seen.lost,
        "==",
        0,
        unit="messages",
        is_valid=seen.delivered > 0,
    )


async def is_reached(lab: Lab, source: str, to: str) -> bool:
    """Return whether `to` answers within 200 ms."""
    (ping,) = await ping_pairs(lab, [(source, to)], deadline_s=0.2)
    return ping.round_trip_s is not None


async def until_whole(lab: Lab) -> None:
    """Wait until every node has all its peers again."""

    async def is_whole() -> bool:
        statuses = [await lab.node_status(node) for node in lab.topology.nodes]
        return all(peer.is_up for status in statuses for peer in status.peers)

    _ = await until(lab, is_whole, limit_s=BACK_LIMIT_S, every_s=0.25)
