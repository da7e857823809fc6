"""What happens next in a simulation: what Python gets of it, and what happens without Python."""

import gc
import weakref
from collections.abc import Callable

import pytest
from tests.native.rig import address, key

from ei._core import Datapath, Link, VirtualUnderlay, public_key

NODE, OTHER = "10.0.0.1:3535", "10.0.0.2:3535"
START_NS = 1_000_000_000
MS = 1_000_000
NEVER_NS = 2**63
LONG = 1_000


def nothing(_now_ns: int) -> None:
    """Be put in."""


def test_items_come_by_time_then_rank_then_as_they_were_put_in() -> None:
    underlay = VirtualUnderlay()
    items = [lambda now_ns, name=name: (name, now_ns) for name in "abcd"]
    for when_ns, rank, place in ((2, 0, 3), (1, 7, 1), (1, 7, 2), (1, 0, 0)):
        underlay.push(when_ns, rank, items[place])

    order = [underlay.pop(3, LONG) for _ in range(4)]

    assert order == [(1, items[0]), (1, items[1]), (1, items[2]), (2, items[3])]
    assert underlay.events == 2, "what has rank 0 is none"


def test_nothing_comes_before_its_time() -> None:
    underlay = VirtualUnderlay()
    underlay.push(5, 0, nothing)

    assert underlay.pop(5, LONG) is None
    assert (underlay.earliest_ns(), len(underlay)) == (5, 1)
    assert repr(underlay) == "<VirtualUnderlay of 0 ports, 1 events to come>"
    assert underlay.pop(6, LONG) == (5, nothing)
    assert (underlay.earliest_ns(), underlay.pop(6, LONG)) == (None, None)


def test_what_waits_for_itself_is_garbage() -> None:
    class Waiting:
        def __init__(self) -> None:
            self.underlay = VirtualUnderlay()
            self.underlay.push(1, 0, self.happen)

        def happen(self, _now_ns: int) -> None:
            """Happen."""

    waiting = Waiting()
    seen = weakref.ref(waiting)

    del waiting
    _ = gc.collect()

    assert seen() is None


def test_no_more_happens_at_one_time_than_is_allowed() -> None:
    underlay = VirtualUnderlay()
    for _ in range(10):
        underlay.push(1, 1, nothing)

    came = sum(underlay.pop(2, 5) is not None for _ in range(10))

    assert came == 7, "one that moved time, five that did not, and one too many"
    assert underlay.standstill == 6


def test_what_is_not_kept_does_not_happen() -> None:
    underlay = VirtualUnderlay()
    underlay.push(1, 0, nothing)
    underlay.push(2, 0, print)

    underlay.retain(lambda item: item is print)

    assert (len(underlay), underlay.pop(9, LONG)) == (1, (2, print))


def test_an_error_of_who_says_what_is_kept_is_raised() -> None:
    underlay = VirtualUnderlay()
    underlay.push(1, 0, nothing)

    with pytest.raises(ZeroDivisionError):
        underlay.retain(lambda _item: bool(1 // 0))


class World:
    """Two nodes with a link each way, whose programs only take notices."""

    def __init__(self) -> None:
        self.underlay = VirtualUnderlay()
        self.notices: list[tuple[int, str]] = []
        self.arrived: list[bytes] = []
        self.entries = b""
        self.watch: Callable[[bytes], object] | None = None
        self.underlay.open(on_arrived=self._arrive, on_strays=nothing, log=self)
        self.ports = [self.underlay.add_port(each, "d") for each in (NODE, OTHER)]
        self.datapaths = [
            Datapath(role="node", address=address(n), private_key=key(n), seed=bytes(32))
            for n in (1, 2)
        ]
        for here, there, endpoint in ((0, 1, OTHER), (1, 0, NODE)):
            number = address(there + 1), public_key(key(there + 1))
            self.datapaths[here].add_peer(*number, kind="node", endpoint=endpoint)
            self.underlay.add_node(
                self.ports[here],
                self.datapaths[here],
                on_news=[self._first, self._second][here],
                on_services_due=nothing,
                on_logged=lambda: None,
            )
            path = self.underlay.add_path(here + 1, here, there, leave=None)
            self.underlay.set_link(path, Link(seed=1, delay_s=0.001))
            self.underlay.add_route(path, endpoint)

    def add_datagrams(self, domain: str, entries: bytes) -> None:
        assert domain == "d"
        self.entries += entries

    def dial(self) -> None:
        self.datapaths[0].dial(START_NS, address(2))
        self.settle(START_NS, 0)

    def settle(self, now_ns: int, number: int) -> None:
        self.notices += [(number, notice[0]) for notice in self.datapaths[number].take_notices()]
        port = self.ports[number]
        self.underlay.settle(now_ns, port, program_ns=NEVER_NS, services_ns=NEVER_NS)

    def run(self, until_ns: int) -> int:
        """Let time pass; return how often the program was needed."""
        calls = 0
        while (entry := self.underlay.pop(until_ns, LONG)) is not None:
            _ = entry[1](entry[0])
            calls += 1
        return calls

    def _first(self, now_ns: int) -> None:
        self.settle(now_ns, 0)

    def _second(self, now_ns: int) -> None:
        self.settle(now_ns, 1)

    def _arrive(self, _path: int, datagrams: list[bytes], _now_ns: int) -> None:
        self.arrived += datagrams


def test_what_concerns_datapaths_alone_happens_without_their_programs() -> None:
    world = World()
    world.dial()
    _ = world.run(START_NS + 100 * MS)
    assert sorted(world.notices) == [(0, "peer_up"), (1, "peer_up")]
    before = world.underlay.events

    calls = world.run(START_NS + 60_000 * MS)

    assert calls == 0
    assert world.underlay.events - before > 50, "they ask one another whether they are there"
    assert world.underlay.datagrams > 25
    assert all(each.statistics()["dropped"] == {} for each in world.datapaths)


def test_a_frozen_node_does_nothing() -> None:
    world = World()
    world.dial()
    _ = world.run(START_NS + 100 * MS)
    world.underlay.freeze(world.ports[1])

    _ = world.run(START_NS + 60_000 * MS)

    assert world.arrived, "what comes to it is its owner's to keep"
    assert (0, "peer_down") in world.notices
    assert (1, "peer_down") not in world.notices


def test_nobody_hears_what_comes_to_a_node_that_ended() -> None:
    world = World()
    world.dial()
    world.underlay.remove_node(world.ports[1])

    _ = world.run(START_NS + 100 * MS)

    assert world.arrived
    assert world.notices == []


def test_all_that_arrives_is_shown_to_who_taps() -> None:
    world = World()
    world.dial()
    world.underlay.is_tapped = True

    _ = world.run(START_NS + 100 * MS)

    assert len(world.arrived) > 0
    assert world.entries == b""


def test_each_datagram_that_arrives_is_in_the_log() -> None:
    world = World()
    world.dial()
    _ = world.run(START_NS + 1 * MS + 1)

    length = world.entries[13:17]
    assert world.entries == (
        b"\0"
        + (START_NS + MS).to_bytes(8, "little")
        + (1).to_bytes(4, "little")
        + length
        + b"\x08consumed"
    )


def test_a_port_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError, match="port 3 of 0"):
        VirtualUnderlay().freeze(3)
