"""What the accounts of a lab promise."""

import msgspec
import pytest

from ei.lab.accounts import (
    Books,
    NodeCounters,
    PeerCounters,
    count_copies,
    counters_of,
    read_counters,
)
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.load import ping_pairs
from ei.lab.simulation import Simulation


def node(*, sent: int, **peers: int) -> NodeCounters:
    return NodeCounters(
        received=0,
        forwarded=0,
        delivered=0,
        consumed=0,
        missed=0,
        sent=sent,
        dropped={},
        missed_dropped={},
        peers={name: PeerCounters(sent=count, received=0) for name, count in peers.items()},
    )


def test_one_copy_on_each_pipe_is_one_exactly() -> None:
    before = {"a": node(sent=10, x=5, y=5, z=5)}
    after = {"a": node(sent=210, x=105, y=108, z=9)}

    copies = count_copies(before, after, packets=100)

    assert copies.per_pipe == 1.0
    assert copies.by_pipe == {("a", "x"): 1.0, ("a", "y"): 1.0}


def test_a_second_copy_on_one_pipe_is_seen() -> None:
    before = {"a": node(sent=0, x=0), "b": node(sent=0, x=0)}
    after = {"a": node(sent=100, x=100), "b": node(sent=200, x=200)}

    assert count_copies(before, after, packets=100).per_pipe == 2.0


def test_nothing_sent_is_no_copies() -> None:
    before = {"a": node(sent=3, x=3)}

    assert count_copies(before, before, packets=100).per_pipe == 0.0


def test_a_packet_without_a_fate_is_found() -> None:
    counted = {
        "received": 10,
        "forwarded": 3,
        "delivered": 1,
        "consumed": 1,
        "missed": 1,
        "sent": 3,
        "dropped": {"metered": 2},
        "missed_dropped": {},
        "peers": {"00": {"sent": 1, "received": 1}},
    }

    assert read_counters(counted).homeless == 2
    assert read_counters(counted | {"received": 8}).homeless == 0


@pytest.mark.parametrize("book", ["received", "missed", "copies"])
def test_one_more_in_any_book_is_an_imbalance(book: str) -> None:
    async def script(lab: Simulation) -> dict[str, object]:
        _ = await ping_pairs(lab, [("alice", "bob")] * 5)
        return dict(await lab.statistics(lab.host("alice").status().attachments[0].node))

    counted = run_simulated(find_topology("delivery"), script)
    cooked = counted | {book: msgspec.convert(counted[book], int) + 1}

    assert msgspec.convert(counted, Books).imbalance == 0
    assert msgspec.convert(cooked, Books).imbalance > 0


def test_every_packet_of_a_simulated_lab_has_one_fate() -> None:
    async def script(lab: Simulation) -> list[int]:
        _ = await ping_pairs(lab, [("alice", "bob")] * 20)
        return [each.homeless for each in (await counters_of(lab)).values()]

    assert run_simulated(find_topology("delivery"), script) == [0, 0, 0, 0]
