"""Delivery: datagrams cross domains, receipts tell the truth, the death of a node is survived."""

from collections import Counter
from collections.abc import AsyncIterator

from ei.errors import DeadlineError
from ei.host.channels import DatagramChannel
from ei.lab.lab import Lab
from ei.lab.load import fastest_ms, node_in_use, ping_pairs, send_with_receipts, until
from ei.lab.promises import Promise, promise
from ei.lab.topology import Impairment

PORT = 7
COUNT = 200
PINGS = 50
LOSS = 0.1
FAILOVER_LIMIT_S = 5.0


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Measure the way, lose packets, kill a node."""
    # The first ping waits for the keys of the two hosts, and for their nodes to meet.
    _ = await until(lab, lambda: is_reached(lab), limit_s=FAILOVER_LIMIT_S)
    pings = [(await ping_pairs(lab, [("alice", "bob")]))[0] for _ in range(PINGS)]
    first = node_in_use(lab.host("alice"))
    floor_ms = 2 * sum(
        lab.topology.impairment(a, b).delay_ms
        for a, b in (("alice.isp-a", first), (first, "sn1.isp-b"), ("sn1.isp-b", "bob.isp-b"))
    )
    yield promise(
        "the fastest way through two nodes takes little longer than its links",
        fastest_ms(ping.round_trip_s for ping in pings),
        "<=",
        floor_ms + 6.0,
        unit="ms",
        baseline=floor_ms,
    )

    alice, bob = lab.host("alice"), lab.host("bob")
    with bob.datagrams(PORT) as inbox:
        receipts = await send_with_receipts(alice, bob.name, port=PORT, count=COUNT)
        delivered = sum(receipt.outcome == "delivered" for receipt in receipts)
        yield promise("every datagram is delivered", delivered, "==", COUNT, unit="receipts")
        _ = await numbers_in(inbox)

        await lab.impair(first, "sn1.isp-b", Impairment(delay_ms=10, loss=LOSS))
        receipts = await send_with_receipts(alice, bob.name, port=PORT, count=COUNT, deadline_s=1.0)
        await lab.heal(first, "sn1.isp-b")
        got = await numbers_in(inbox)
        claimed = {n for n, receipt in enumerate(receipts) if receipt.outcome == "delivered"}
        # The receipt may be lost as well as the datagram: never claimed without being there.
        yield promise("no receipt lies", len(claimed - got), "==", 0, unit="false receipts")
        lost_share = 1 - len(got) / COUNT
        is_lossy = lost_share >= LOSS / 4
        yield promise(
            "as many arrive as the link lets through",
            round(lost_share, 3),
            "<=",
            round(3 * LOSS, 3),
            unit="share lost",
            baseline=LOSS,
            is_valid=is_lossy,
        )
        fates = Counter(receipt.outcome for receipt in receipts)
        yield promise(
            "every datagram has a fate by its deadline",
            sum(fates.values()),
            "==",
            COUNT,
            unit="receipts",
        )

    await lab.kill("sn1.isp-b")
    around_s = await until(lab, lambda: is_reached(lab), limit_s=FAILOVER_LIMIT_S)
    yield promise("another node takes over", around_s, "<=", FAILOVER_LIMIT_S, unit="s")


async def is_reached(lab: Lab) -> bool:
    """Return whether bob answers alice within 200 ms."""
    (ping,) = await ping_pairs(lab, [("alice", "bob")], deadline_s=0.2)
    return ping.round_trip_s is not None


async def numbers_in(channel: DatagramChannel) -> set[int]:
    """Take all that waits; return the numbers."""
    numbers: set[int] = set()
    try:
        while True:
            datagram = await channel.receive(deadline_s=0.2)
            numbers.add(int.from_bytes(datagram.data, "little"))
    except DeadlineError:
        return numbers
