"""Circuits without a network: what is sent how, by which key, and how a silence ends."""

from dataclasses import dataclass, field
from random import Random

import pytest
from tests.host.conftest import DOMAIN, ISSUER, MS, UNIX_S, keys_of

from ei._core import Streams
from ei.errors import LimitError, NotFoundError
from ei.host.circuit_connections import MAX_CIRCUITS, CircuitConnections
from ei.host.events import HostEvent, StreamConnected, StreamLost
from ei.host.sessions import Outgoing
from ei.host.stream_connections import StreamConnections
from ei.host.stream_ports import ConnectionKey
from ei.records.record_set import RecordSet, verify_records

RELAY = 68
ALICE, NODE, EXIT = keys_of("alice"), keys_of("sn1"), keys_of("sn2")
AT = ("127.0.0.1:1",)


def records() -> RecordSet:
    envelopes = [
        ISSUER.domain(),
        ISSUER.node(NODE, "sn1.isp-a", endpoints=AT, services=(RELAY,)),
        ISSUER.node(EXIT, "sn2.isp-a", endpoints=AT, services=(RELAY,)),
        ISSUER.enrol(ALICE, "alice.isp-a"),
    ]
    trust = {"isp-a": DOMAIN.identity_key}
    return verify_records(envelopes, trust=trust, unix_s=UNIX_S)


def key_of_first_circuit(seed: int) -> bytes:
    """Return the public key that the first circuit of a host with these numbers has."""
    return Streams(identity_key=Random(seed).randbytes(32)).public_key


@dataclass
class Hidden:
    """Alice, an exit with nothing but QUIC, and the time; payloads take 1 ms."""

    seed: int = 1
    now_ns: int = MS
    is_exit_dead: bool = False
    events: list[HostEvent] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = records()
        secret = ALICE.identity_secret
        numbers = Random(self.seed)
        own = StreamConnections(
            ALICE.address(1),
            lambda: Streams(identity_key=secret, seed=secret),
            records=lambda: known,
            draw=lambda: numbers.getrandbits(64),
            emit=self.events.append,
        )
        self.circuits = CircuitConnections(
            own,
            ALICE.address(1),
            records=lambda: known,
            numbers=numbers,
            is_seeded=True,
            emit=self.events.append,
        )
        self.exit = Streams(identity_key=EXIT.identity_secret, seed=EXIT.identity_secret)

    def run(self, duration_ms: int = 50) -> None:
        """Let everything happen that happens by itself."""
        source = b"p" * 16
        for _ in range(duration_ms):
            self.now_ns += MS
            self.circuits.poll(self.now_ns)
            for out in self.circuits.take_outgoing(self.now_ns):
                self.sent.append(out)
                if not self.is_exit_dead:
                    self.exit.handle_many(self.now_ns, source, out.connection, out.payloads)
            if self.is_exit_dead:
                continue
            self.exit.poll(self.now_ns)
            for event in self.exit.take_events():
                if event[0] == "key_wanted":
                    key = key_of_first_circuit(self.seed)
                    self.exit.accept(self.now_ns, event[1], event[2], key)
            for _, connection, payloads in self.exit.take_transmits(self.now_ns):
                at = EXIT.address(1)
                assert self.circuits.carries(at, connection, RELAY)
                self.circuits.handle(self.now_ns, at, connection, payloads)

    def open(self) -> tuple[ConnectionKey, StreamConnections]:
        """Begin a circuit by her node."""
        node = NODE.address(1)
        return self.circuits.open(self.now_ns, EXIT.address(1), service=RELAY, node=node)

    def opened(self) -> tuple[ConnectionKey, StreamConnections]:
        """Open one; return it."""
        key, connections = self.open()
        self.run()
        assert self.events == [StreamConnected(*key)]
        self.events.clear()
        return key, connections

    def losses(self) -> list[StreamLost]:
        """Return what was lost."""
        return [event for event in self.events if isinstance(event, StreamLost)]


def test_a_circuit_has_a_key_of_its_own_and_its_packets_go_by_the_node() -> None:
    hidden = Hidden()

    _ = hidden.opened()

    assert key_of_first_circuit(hidden.seed) != ALICE.identity_key
    assert {(out.to, out.by, out.service) for out in hidden.sent} == {
        (EXIT.address(1), NODE.address(1), RELAY)
    }


def test_streams_go_there_and_back() -> None:
    hidden = Hidden()
    key, connections = hidden.opened()
    stream = connections.open_service_stream(key, b"to")
    assert stream is not None

    assert connections.write(stream, b"hello", 0) == 5
    connections.finish(stream)
    hidden.run()

    there = (b"p" * 16, key[1], stream[2])
    assert hidden.exit.read(*there, 100) == (b"\x02\x00tohello", "finished", 0)


def test_a_silence_that_nothing_is_asked_in_is_no_loss() -> None:
    hidden = Hidden()
    _ = hidden.opened()

    hidden.run(400)
    asked = len(hidden.sent)
    hidden.run(5_000)

    assert hidden.losses() == []
    assert len(hidden.sent) - asked < 5, "it does not chatter"
    assert hidden.circuits.open_count == 1


def test_what_is_not_answered_costs_the_circuit_in_less_than_two_seconds() -> None:
    hidden = Hidden()
    key, connections = hidden.opened()
    hidden.run(2_000)
    hidden.is_exit_dead = True

    connections.ask(hidden.now_ns, EXIT.address(1))
    hidden.run(1_100)
    assert hidden.losses() == []
    hidden.run(200)

    lost = StreamLost(*key, "timed_out", "sn2.isp-a does not answer")
    assert hidden.losses() == [lost]
    assert hidden.circuits.open_count == 0


def test_the_node_going_down_costs_its_circuits_at_once_and_no_others() -> None:
    hidden = Hidden()
    key, _ = hidden.opened()

    hidden.circuits.lose_node(hidden.now_ns, EXIT.address(1))
    assert hidden.losses() == []
    hidden.circuits.lose_node(hidden.now_ns, NODE.address(1))
    hidden.circuits.lose_node(hidden.now_ns, NODE.address(1))

    text = "the pipe to sn1.isp-a went down"
    assert hidden.losses() == [StreamLost(*key, "node_lost", text)]


def test_a_circuit_that_was_closed_is_forgotten_once_the_exit_knows() -> None:
    hidden = Hidden()
    key, _ = hidden.opened()

    hidden.circuits.end(hidden.now_ns, key)
    hidden.circuits.end(hidden.now_ns, key)
    assert hidden.circuits.open_count == 0
    assert hidden.circuits.carries(*key, RELAY)
    hidden.run(1_100)

    assert hidden.events == []
    assert not hidden.circuits.carries(*key, RELAY)


def test_circuits_are_few_and_to_who_offers_them() -> None:
    hidden = Hidden()
    with pytest.raises(NotFoundError, match=r"sn2\.isp-a does not offer service 69"):
        _ = hidden.circuits.open(0, EXIT.address(1), service=69, node=NODE.address(1))

    names = {hidden.open()[0] for _ in range(MAX_CIRCUITS)}

    assert len(names) == MAX_CIRCUITS
    with pytest.raises(LimitError, match="32 are open"):
        _ = hidden.open()
