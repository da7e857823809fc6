"""Law 5. Decisions are soft state: the cache may forget any of them at any time.

With a cache of size 0 the same packets are delivered; tests/conformance does so for every service.
"""

import pytest

from ei.runtime.loader import LoadedService
from ei.sdk import (
    Address,
    Decision,
    Effect,
    Forward,
    Hop,
    InstallDecision,
    PacketArrived,
    SendPacket,
    forward,
    key_of,
)
from ei.testing import address
from ei.testing.crossroads import Crossroads, Received
from ei.testing.toys import TOY_NUMBER, toy

ALICE, BOB = address("alice"), address("bob")
PACKETS = 3


def honest(event: PacketArrived, _ctx: object) -> tuple[Effect, ...]:
    """Copy to bob, now and from now on."""
    return forward(event.packet, (Hop(BOB),), ttl_s=1.0)


def copy_to(now: Address, later: Address, *, metadata: bytes | None = None) -> LoadedService:
    """Planted: send the packet at hand to one peer, and let the next ones go to another."""

    def on_packet(event: PacketArrived, _ctx: object) -> tuple[Effect, ...]:
        decision = Decision(key_of(event.packet), Forward((Hop(later, metadata),)), ttl_s=1.0)
        return (InstallDecision(decision), SendPacket(event.packet, now))

    return toy(on_packet=on_packet)


def deliveries(loaded: LoadedService, *, cache_entries: int) -> list[Received]:
    """Send packets one after the other; return what arrived, and where."""
    rig = Crossroads([loaded], ["alice", "bob"], cache_entries=cache_entries)
    for number in range(PACKETS):
        rig.send("alice", TOY_NUMBER, b"%d" % number)
        rig.settle()
    return rig.take_received()


def check_law_5(loaded: LoadedService) -> None:
    with_cache = deliveries(loaded, cache_entries=100)
    without = deliveries(loaded, cache_entries=0)
    assert with_cache == without, "law 5: a cached decision delivers otherwise"
    assert len(without) == PACKETS


def test_without_a_cache_the_same_is_delivered() -> None:
    check_law_5(toy(on_packet=honest))


def test_without_a_cache_every_packet_misses() -> None:
    rig = Crossroads([toy(on_packet=honest)], ["alice", "bob"], cache_entries=0)
    for _ in range(PACKETS):
        rig.send("alice", TOY_NUMBER)
        rig.settle()

    assert rig.node.statistics()["missed"] == PACKETS


@pytest.mark.parametrize(
    "loaded", [copy_to(ALICE, BOB), copy_to(BOB, BOB, metadata=b"only when cached")]
)
def test_a_decision_that_says_otherwise_than_the_packet_at_hand_is_caught(
    loaded: LoadedService,
) -> None:
    with pytest.raises(AssertionError, match="law 5: a cached decision delivers otherwise"):
        check_law_5(loaded)


def test_hits_do_not_extend_a_decisions_life() -> None:
    rig = Crossroads([toy(on_packet=honest)], ["alice", "bob"])
    for _ in range(5):
        rig.send("alice", TOY_NUMBER)
        rig.settle()
        rig.pass_time(0.4)

    # It lives for a second: packets at 0.0, then at 1.2 s at the latest.
    assert rig.node.statistics()["missed"] == 2
