"""F8: under overload each message ends as delivered xor reported, and the counters match."""

import asyncio
from collections import Counter

import pytest

from ei.host.verdicts import Receipt
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.lab.topology_file import parse_topology

NARROW = """
version = 1
services = ["delivery"]
[domains.left.nodes.n1]
[domains.left.hosts.alice]
nodes = ["n1"]
[domains.right.nodes.n1]
[domains.right.hosts.bob]
nodes = ["n1"]
[link_defaults.host]
delay_ms = 1
[link_defaults.domain]
delay_ms = 5
rate_mbps = 4
queue_kib = 64
"""
COUNT = 1_600
"""More than the queue of a service, than the narrow link and than the inbox hold."""
WORDS = ("slow_path_busy", "not_taken")


Numbers = dict[str, set[int]]


@pytest.mark.slow
def test_f8_under_overload_each_message_ends_as_delivered_xor_reported() -> None:
    receipts: list[Receipt] = []
    got: list[int] = []
    counted = Counter[str]()

    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        _ = await alice.ping("bob.right")
        with alice.datagrams() as mine, bob.datagrams(7, limit_items=300) as inbox:
            sends = (
                mine.send("bob.right", number.to_bytes(4, "little"), port=7, deadline_s=20)
                for number in range(COUNT)
            )
            receipts.extend(await asyncio.gather(*sends))
            while len(inbox.inbox):
                got.append(int.from_bytes((await inbox.receive()).data, "little"))
        for node in ("n1.left", "n1.right"):
            status = await lab.node_status(node)
            counted.update({f"{reason} at {node}": n for reason, n in status.dropped.items()})
        counted["not_taken at bob.right"] = bob.status().dropped["receiver_busy"]

    run_simulated(parse_topology(NARROW, name="narrow"), script)

    said: Numbers = {word: set() for word in ("delivered", "dropped", "unknown")}
    for number, receipt in enumerate(receipts):
        said[receipt.outcome].add(number)
    dropped = Counter(f"{each.reason} at {each.by}" for each in receipts if each.reason in WORDS)
    assert len(receipts) == COUNT
    assert all(said.values()), "the overload was none"
    assert len(got) == len(set(got))
    assert said["delivered"] <= set(got) <= said["delivered"] | said["unknown"]
    assert dropped == counted
    assert all(each.is_signed for each in receipts if each.outcome == "dropped")
