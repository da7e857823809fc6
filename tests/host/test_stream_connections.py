"""Streams over two pure ends: ports, refusals, losses, identities."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from ei._core import Streams
from ei.errors import LocalError, NotFoundError, StreamError
from ei.host.events import HostEvent, StreamArrived, StreamConnected, StreamLost, StreamMoved
from ei.host.sessions import Outgoing
from ei.host.stream_codes import NO_LISTENER
from ei.host.stream_connections import StreamConnections
from ei.host.stream_ports import (
    MAX_UNROUTED_OF_PEER,
    PORT_TIMEOUT_NS,
    ConnectionKey,
    StreamKey,
)
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_set import RecordSet, verify_records
from ei.sdk import Address

DOMAIN, ALICE, BOB, EVE = (make_keys(letter * 32) for letter in (b"d", b"a", b"b", b"e"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
MS = 1_000_000


def records(*, eve: bool = False) -> RecordSet:
    envelopes = [
        ISSUER.domain(),
        ISSUER.enrol(ALICE, "alice.isp-a"),
        ISSUER.enrol(BOB, "bob.isp-a"),
    ]
    if eve:
        envelopes.append(ISSUER.enrol(EVE, "eve.isp-a"))
    return verify_records(envelopes, trust={"isp-a": DOMAIN.identity_key}, unix_s=1_000)


@dataclass
class End:
    """One host's streams, and what happened to them."""

    keys: Keys
    secret: bytes
    known: RecordSet
    send_window_bytes: int = 8_388_608
    max_streams: int = 256
    events: list[HostEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = iter(range(1, 1_000))
        self.address: Address = self.keys.address(1)
        self.streams = StreamConnections(
            self.address,
            lambda: Streams(
                identity_key=self.secret,
                seed=self.secret,
                send_window_bytes=self.send_window_bytes,
                max_streams=self.max_streams,
            ),
            records=lambda: self.known,
            draw=lambda: next(numbers),
            emit=self.events.append,
        )

    def of(self, kind: type[HostEvent]) -> list[HostEvent]:
        return [event for event in self.events if type(event) is kind]


class Pair:
    """Two ends and the time; payloads take 1 ms."""

    def __init__(self, a: End, b: End) -> None:
        self.ends = {a.address: a, b.address: b}
        self.now_ns = MS
        self.is_cut = False

    def run(self, duration_ms: int = 200) -> None:
        """Let everything happen that happens by itself."""
        arriving: deque[tuple[int, End, Address, int, list[bytes]]] = deque()
        until_ns = self.now_ns + duration_ms * MS
        while self.now_ns < until_ns:
            while arriving and arriving[0][0] <= self.now_ns:
                _, end, source, connection, payloads = arriving.popleft()
                end.streams.handle(self.now_ns, source, connection, payloads)
            for source, end in self.ends.items():
                end.streams.poll(self.now_ns)
                for out in end.streams.take_outgoing(self.now_ns):
                    if not self.is_cut:
                        to = self.ends[out.to]
                        arriving.append(
                            (self.now_ns + MS, to, source, out.connection, out.payloads)
                        )
            self.now_ns += MS


def pair(*, knows_eve: bool = False) -> tuple[End, End, Pair]:
    alice = End(ALICE, ALICE.identity_secret, records())
    bob = End(BOB, BOB.identity_secret, records(eve=knows_eve))
    return alice, bob, Pair(alice, bob)


def test_a_stream_arrives_at_the_port_that_it_is_for() -> None:
    alice, bob, world = pair()
    key, is_up = alice.streams.connect(world.now_ns, bob.address)
    assert not is_up
    world.run()
    assert alice.of(StreamConnected)
    assert bob.of(StreamConnected)

    stream = alice.streams.open_stream(key, 80)
    assert stream is not None
    assert alice.streams.write(stream, b"hello", 0) == 5
    alice.streams.finish(stream)
    world.run()

    [arrived] = bob.of(StreamArrived)
    assert isinstance(arrived, StreamArrived)
    assert (arrived.peer, arrived.port) == (alice.address, 80)
    there = (arrived.peer, arrived.connection, arrived.stream)
    assert bob.streams.read(there, 100) == (b"hello", "finished", 0)
    assert any(isinstance(e, StreamMoved) and e.what == "finished" for e in alice.events)


def full_pair() -> tuple[End, End, Pair, ConnectionKey]:
    """Alice connected to bob, her window full of bytes for his port 80."""
    alice = End(ALICE, ALICE.identity_secret, records(), send_window_bytes=196_608)
    bob = End(BOB, BOB.identity_secret, records())
    world = Pair(alice, bob)
    key, _ = alice.streams.connect(world.now_ns, bob.address)
    world.run()
    first = alice.streams.open_stream(key, 80)
    assert first is not None
    assert alice.streams.write(first, bytes(1_000_000), 0) < 1_000_000
    return alice, bob, world, key


def arrived_at(bob: End, port: int) -> StreamKey:
    """Return the only stream that arrived at a port of bob."""
    [found] = [e for e in bob.of(StreamArrived) if isinstance(e, StreamArrived) and e.port == port]
    return (found.peer, found.connection, found.stream)


def test_a_stream_keeps_its_port_when_the_window_is_full() -> None:
    alice, bob, world, key = full_pair()

    second = alice.streams.open_stream(key, 81)
    assert second is not None
    assert alice.streams.write(second, b"hello", 0) == 0
    world.run()

    assert any(isinstance(e, StreamMoved) and e.stream == second[2] for e in alice.events)
    assert alice.streams.write(second, b"hello", 0) == 5
    world.run()
    assert bob.streams.read(arrived_at(bob, 81), 100)[0] == b"hello"


def test_an_empty_stream_ends_after_its_port_when_the_window_is_full() -> None:
    alice, bob, world, key = full_pair()

    second = alice.streams.open_stream(key, 81)
    assert second is not None
    alice.streams.finish(second)
    world.run()

    assert bob.streams.read(arrived_at(bob, 81), 100) == (b"", "finished", 0)


def test_one_connection_carries_all_streams_to_a_host() -> None:
    alice, bob, world = pair()
    first, _ = alice.streams.connect(world.now_ns, bob.address)
    world.run()

    second, is_up = alice.streams.connect(world.now_ns, bob.address)

    assert (second, is_up) == (first, True)


def test_the_other_end_uses_the_same_connection_for_its_own_streams() -> None:
    alice, bob, world = pair()
    key, _ = alice.streams.connect(world.now_ns, bob.address)
    world.run()

    back, is_up = bob.streams.connect(world.now_ns, alice.address)

    assert (back, is_up) == ((alice.address, key[1]), True)


def test_a_stream_that_is_given_up_is_reset_at_the_other_end() -> None:
    alice, bob, world = pair()
    key, _ = alice.streams.connect(world.now_ns, bob.address)
    world.run()
    stream = alice.streams.open_stream(key, 80)
    assert stream is not None
    world.run()

    alice.streams.abort(stream)
    alice.streams.abort(stream)
    world.run()

    assert any(isinstance(e, StreamMoved) and e.what == "reset" for e in bob.events)


def test_a_refused_stream_is_stopped_with_the_code_for_it() -> None:
    alice, bob, world = pair()
    key, _ = alice.streams.connect(world.now_ns, bob.address)
    world.run()
    stream = alice.streams.open_stream(key, 80)
    world.run()
    [arrived] = bob.of(StreamArrived)
    assert isinstance(arrived, StreamArrived)

    bob.streams.abort((arrived.peer, arrived.connection, arrived.stream), NO_LISTENER)
    world.run()

    stopped = [e for e in alice.events if isinstance(e, StreamMoved) and e.what == "stopped"]
    assert [(e.stream, e.code) for e in stopped] == [(stream[2], NO_LISTENER)] if stream else False


def test_a_host_without_a_record_is_refused() -> None:
    eve = End(EVE, EVE.identity_secret, records(eve=True))
    bob = End(BOB, BOB.identity_secret, records())
    world = Pair(eve, bob)

    _ = eve.streams.connect(world.now_ns, bob.address)
    world.run()

    [lost] = eve.of(StreamLost)
    assert isinstance(lost, StreamLost)
    assert lost.kind == "refused"
    assert bob.of(StreamArrived) == []


def test_a_host_with_the_key_of_another_is_found_out() -> None:
    impostor = End(BOB, EVE.identity_secret, records())
    alice = End(ALICE, ALICE.identity_secret, records())
    world = Pair(alice, impostor)

    _ = alice.streams.connect(world.now_ns, impostor.address)
    world.run()

    [lost] = alice.of(StreamLost)
    assert isinstance(lost, StreamLost)
    assert lost.kind == "wrong_identity"


def test_silence_ends_a_connection_with_its_reason() -> None:
    alice, bob, world = pair()
    key, _ = alice.streams.connect(world.now_ns, bob.address)
    world.run()
    world.is_cut = True

    world.run(31_000)

    [lost] = alice.of(StreamLost)
    assert isinstance(lost, StreamLost)
    assert lost.kind == "timed_out"
    with pytest.raises(StreamError):
        _ = alice.streams.open_stream(key, 80)


def test_a_host_that_leaves_gives_up_every_connection_also_one_that_is_not_up() -> None:
    alice, bob, world = pair()
    first, _ = alice.streams.connect(world.now_ns, bob.address)

    alice.streams.close_all(world.now_ns, reason="the host was closed")
    world.run()

    assert (alice.events, bob.of(StreamArrived)) == ([], [])
    again, is_up = alice.streams.connect(world.now_ns, bob.address)
    assert (again == first, is_up) == (False, False)


def test_an_unknown_host_cannot_be_connected_to() -> None:
    alice, _, world = pair()

    with pytest.raises(NotFoundError, match="no record of the host"):
        _ = alice.streams.connect(world.now_ns, EVE.address(1))


def test_a_host_opens_no_stream_to_itself() -> None:
    alice, _, world = pair()

    with pytest.raises(LocalError, match="no stream to itself"):
        _ = alice.streams.connect(world.now_ns, alice.address)


def test_nothing_is_made_before_it_is_needed() -> None:
    alice, _, _ = pair()

    assert alice.streams.next_deadline_ns() is None
    assert alice.streams.take_outgoing(0) == []
    assert alice.streams.statistics() == {}


class RawStreams:
    """The native endpoint in the place of stream connections: a peer with other rules."""

    def __init__(self, keys: Keys) -> None:
        self.native = Streams(identity_key=keys.identity_secret, seed=keys.identity_secret)
        self.events: list[tuple[object, ...]] = []

    def handle(self, now_ns: int, source: Address, connection: int, payloads: list[bytes]) -> None:
        self.native.handle_many(now_ns, source, connection, payloads)

    def poll(self, now_ns: int) -> None:
        self.native.poll(now_ns)

    def take_outgoing(self, now_ns: int) -> list[Outgoing]:
        self.events += self.native.take_events()
        return [
            Outgoing(Address(peer), connection, payloads)
            for peer, connection, payloads in self.native.take_transmits(now_ns)
        ]


def raw_pair() -> tuple[RawStreams, ConnectionKey, End, Pair]:
    """Alice with rules of her own, connected to bob."""
    alice = End(ALICE, ALICE.identity_secret, records())
    raw = RawStreams(ALICE)
    alice.streams = raw  # type: ignore[assignment]
    bob = End(BOB, BOB.identity_secret, records())
    world = Pair(alice, bob)
    raw.native.connect(world.now_ns, bob.address, 77, BOB.identity_key)
    world.run()
    return raw, (bob.address, 77), bob, world


def test_a_port_may_come_byte_by_byte() -> None:
    raw, key, bob, world = raw_pair()
    native = raw.native
    stream = native.open_stream(*key, is_bidirectional=True)
    assert stream is not None

    _ = native.write(*key, stream, b"\x50")
    world.run()
    assert bob.of(StreamArrived) == []
    _ = native.write(*key, stream, b"\x00rest")
    world.run()

    [arrived] = bob.of(StreamArrived)
    assert isinstance(arrived, StreamArrived)
    there = (arrived.peer, arrived.connection, arrived.stream)
    assert (arrived.port, bob.streams.read(there, 10)[0]) == (80, b"rest")


@pytest.mark.parametrize("way", ["finish", "reset"])
def test_a_stream_that_never_says_its_port_is_refused(way: str) -> None:
    raw, key, bob, world = raw_pair()
    native = raw.native
    stream = native.open_stream(*key, is_bidirectional=True)
    assert stream is not None
    _ = native.write(*key, stream, b"\x50")
    world.run()

    if way == "finish":
        native.finish(*key, stream)
    else:
        native.reset(*key, stream, 5)
    world.run()

    assert bob.of(StreamArrived) == []
    refused = ("stream_reset", *key, stream, NO_LISTENER) in raw.events
    assert refused == (way == "finish")


def test_streams_that_never_say_their_port_lock_out_nobody_and_do_not_stay() -> None:
    raw, key, bob, world = raw_pair()
    native = raw.native
    for _ in range(MAX_UNROUTED_OF_PEER + 1):
        stream = native.open_stream(*key, is_bidirectional=True)
        assert stream is not None
        _ = native.write(*key, stream, b"\x50")
    world.run()
    assert bob.streams.dropped == {"unrouted_full": 1}

    world.run(PORT_TIMEOUT_NS // MS)

    assert bob.streams.dropped["stream_without_port"] == MAX_UNROUTED_OF_PEER
    stream = native.open_stream(*key, is_bidirectional=True)
    assert stream is not None
    _ = native.write(*key, stream, b"\x50\x00")
    world.run()
    assert arrived_at(bob, 80)[2] == stream


def test_a_stream_that_goes_one_way_only_is_refused() -> None:
    raw, key, bob, world = raw_pair()
    native = raw.native
    stream = native.open_stream(*key, is_bidirectional=False)
    assert stream is not None
    _ = native.write(*key, stream, b"\x50\x00")
    world.run()

    with pytest.raises(ConnectionError, match="is closed"):
        _ = native.write(*key, stream, b"more")
    assert bob.of(StreamArrived) == []


def test_payloads_of_strangers_are_counted_by_the_native_side() -> None:
    bob = End(BOB, BOB.identity_secret, records())

    bob.streams.handle(MS, EVE.address(1), 5, [b"", b"junk", bytes(1_200)])

    answers = bob.streams.take_outgoing(MS)
    assert sum(len(payload) for out in answers for payload in out.payloads) < 1_200
    assert bob.events == []
    assert bob.streams.statistics()["payloads_received"] == 3
