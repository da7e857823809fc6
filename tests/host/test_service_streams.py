"""Streams to a service at a node: two native ends against each other, and what a program sees."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.conftest import DOMAIN, ISSUER, MS, UNIX_S, keys_of

from ei._core import Streams
from ei.errors import LocalError, NotFoundError, StreamError
from ei.host.events import HostEvent, StreamConnected, StreamLost
from ei.host.stream_connections import StreamConnections
from ei.host.stream_ports import ConnectionKey
from ei.lab.simulation import Simulation
from ei.records.record_set import RecordSet, verify_records
from ei.sdk.packets import Address

if TYPE_CHECKING:
    from tests.host.conftest import World

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]
TERMINATION, CACHING = 32, 34
ALICE, NODE = keys_of("alice"), keys_of("sn1")


def records() -> RecordSet:
    at = ("127.0.0.1:1",)
    envelopes = [
        ISSUER.domain(),
        ISSUER.node(NODE, "sn1.isp-a", endpoints=at, services=(CACHING, TERMINATION)),
        ISSUER.enrol(ALICE, "alice.isp-a"),
    ]
    trust = {"isp-a": DOMAIN.identity_key}
    return verify_records(envelopes, trust=trust, unix_s=UNIX_S)


@dataclass
class Way:
    """Alice, her node with nothing but QUIC, and the time; payloads take 1 ms."""

    now_ns: int = MS
    events: list[HostEvent] = field(default_factory=list)
    heard: list[tuple[object, ...]] = field(default_factory=list)
    services: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        numbers = iter(range(1, 1_000))
        known = records()
        secret = ALICE.identity_secret
        self.alice = StreamConnections(
            ALICE.address(1),
            lambda: Streams(identity_key=secret, seed=secret),
            records=lambda: known,
            draw=lambda: next(numbers),
            emit=self.events.append,
        )
        self.node_at = NODE.address(1)
        self.node = Streams(identity_key=NODE.identity_secret, seed=NODE.identity_secret)

    def run(self, duration_ms: int = 50) -> None:
        """Let everything happen that happens by itself."""
        address = ALICE.address(1)
        for _ in range(duration_ms):
            self.now_ns += MS
            self.alice.poll(self.now_ns)
            self.node.poll(self.now_ns)
            for out in self.alice.take_outgoing(self.now_ns):
                self.services.add(out.service)
                self.node.handle_many(self.now_ns, address, out.connection, out.payloads)
            for event in self.node.take_events():
                self.heard.append(event)
                if event[0] == "key_wanted":
                    self.node.accept(self.now_ns, event[1], event[2], ALICE.identity_key)
            for _, connection, payloads in self.node.take_transmits(self.now_ns):
                if self.alice.carries(self.node_at, connection, TERMINATION):
                    self.alice.handle(self.now_ns, self.node_at, connection, payloads)

    def connected(self) -> ConnectionKey:
        """Connect to the service; return the connection."""
        key, _ = self.alice.connect(self.now_ns, self.node_at, service=TERMINATION)
        self.run()
        assert [type(event) for event in self.events] == [StreamConnected]
        return key

    def of(self, kind: type[HostEvent]) -> list[HostEvent]:
        """Return the events of one kind."""
        return [event for event in self.events if type(event) is kind]


def test_a_stream_to_a_service_begins_with_its_opening_and_goes_both_ways() -> None:
    way = Way()
    key = way.connected()
    stream = way.alice.open_service_stream(key, b"what for")
    assert stream is not None

    assert way.alice.write(stream, b"hello", 0) == 5
    way.alice.finish(stream)
    way.run()

    there = (ALICE.address(1), key[1], stream[2])
    assert way.node.read(*there, 100) == (b"\x08\x00what forhello", "finished", 0)
    _ = way.node.write(*there, b"answer")
    way.node.finish(*there)
    way.run()
    assert way.alice.read(stream, 100) == (b"answer", "finished", 0)
    assert way.services == {TERMINATION}


def test_streams_to_a_service_share_a_connection_and_those_to_another_have_their_own() -> None:
    way = Way()
    key = way.connected()

    again = way.alice.connect(way.now_ns, way.node_at, service=TERMINATION)
    other, is_up = way.alice.connect(way.now_ns, way.node_at, service=CACHING)

    assert again == (key, True)
    assert (other == key, is_up) == (False, False)


def test_an_opening_is_at_most_a_kilobyte() -> None:
    way = Way()
    key = way.connected()

    with pytest.raises(LocalError, match="1025 B; allowed are 1024 B"):
        _ = way.alice.open_service_stream(key, bytes(1_025))


def test_a_service_that_the_node_does_not_offer_is_said_at_once() -> None:
    way = Way()

    with pytest.raises(NotFoundError, match=r"sn1\.isp-a does not offer service 33; it offers 34"):
        _ = way.alice.connect(way.now_ns, way.node_at, service=33)


def test_a_node_that_goes_down_ends_its_streams_with_the_reason_and_others_stay() -> None:
    way = Way()
    key = way.connected()
    stream = way.alice.open_service_stream(key, b"")
    assert stream is not None

    way.alice.lose_node(way.now_ns, ALICE.address(1))
    assert way.of(StreamLost) == []
    way.alice.lose_node(way.now_ns, way.node_at)

    text = "the pipe to sn1.isp-a went down"
    assert way.of(StreamLost) == [StreamLost(*key, "node_lost", text)]
    with pytest.raises(StreamError):
        _ = way.alice.write(stream, b"x", 0)


def test_the_end_of_a_connection_is_said_to_the_service_and_the_next_one_is_new() -> None:
    way = Way()
    key = way.connected()

    way.alice.close(way.now_ns, key, reason="over")
    way.run()

    assert any(event[0] == "lost" and event[3] == "closed" for event in way.heard)
    assert way.services == {TERMINATION}
    assert way.alice.connect(way.now_ns, way.node_at, service=TERMINATION)[0] != key


def test_what_a_host_gives_up_it_gives_up_without_a_word() -> None:
    way = Way()
    key = way.connected()
    stream = way.alice.open_service_stream(key, b"")
    assert stream is not None
    way.run()

    way.alice.abort(stream)
    way.run()

    there = (ALICE.address(1), key[1], stream[2])
    assert ("stream_reset", *there, 0) in way.heard


def test_a_node_opens_no_stream_on_a_connection_for_a_service() -> None:
    way = Way()
    key = way.connected()
    stream = way.node.open_stream(ALICE.address(1), key[1], is_bidirectional=True)
    assert stream is not None
    _ = way.node.write(ALICE.address(1), key[1], stream, b"\x50\x00")

    way.run()

    assert way.alice.dropped == {"stream_unasked": 1}


def test_only_connections_with_a_service_are_taken_for_such() -> None:
    way = Way()
    _, number = way.connected()
    bob = Address(b"\xfd\x35" + bytes(14))

    assert way.alice.carries(way.node_at, number, TERMINATION)
    assert not way.alice.carries(way.node_at, number, 33)
    assert not way.alice.carries(way.node_at, number + 1, TERMINATION)
    assert not way.alice.carries(bob, number, TERMINATION)


def test_packets_of_a_stream_to_a_service_go_to_its_node_with_its_number(world: "World") -> None:
    alice = world.hosts["alice"]
    node = world.records.find("sn2.isp-a")
    before = world.nodes["sn2"].statistics()

    _ = alice.streams.connect(world.now_ns, node, service=17)
    world.run(50)

    # It runs there and knows no streams: what it says of that is its business.
    assert alice.statistics().dropped.get("send_refused", 0) == 0
    assert world.nodes["sn2"].statistics() != before


def test_a_pipe_that_goes_down_ends_the_streams_to_services_of_its_node(world: "World") -> None:
    alice = world.hosts["alice"]
    key, _ = alice.streams.connect(world.now_ns, world.records.find("sn1.isp-a"), service=17)
    world.is_lost = lambda source, to: "sn1" in {source, to}

    world.run(5_000)

    assert [event.kind for event in world.of("alice", StreamLost)] == ["node_lost"]  # type: ignore[attr-defined]
    assert [event.connection for event in world.of("alice", StreamLost)] == [key[1]]  # type: ignore[attr-defined]


def test_a_program_is_told_at_once_which_node_or_service_it_cannot_have(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with pytest.raises(NotFoundError, match=r"n1\.right is none of the nodes of this host"):
            _ = await alice.open_service_stream(32, node=alice.find("n1.right"))
        with pytest.raises(NotFoundError, match=r"n1\.left does not offer service 32"):
            _ = await alice.open_service_stream(32)
        with pytest.raises(LocalError, match="service"):
            _ = await alice.open_service_stream(1)

    in_lab(script)
