"""Two hosts talk through two nodes, all of it real and none of it on a network."""

from random import Random
from typing import TYPE_CHECKING

import pytest

from ei.attachment import ATTACHMENT, Explained, encode
from ei.errors import ConfigError, LimitError
from ei.host.events import (
    AttachmentChanged,
    DatagramReceived,
    EchoReceived,
    ReceiptReceived,
    StatementReceived,
    StreamArrived,
    StreamConnected,
)
from ei.host.stack import Identity, Stack
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import verify_records

if TYPE_CHECKING:
    from tests.host.conftest import World


def test_a_host_attaches_to_all_its_nodes_and_uses_the_preferred(world: "World") -> None:
    alice = world.hosts["alice"]

    assert len(alice.attachments.up) == 2
    assert world.records.name_of(alice.attachments.via) == "sn1.isp-a"
    assert len(world.of("alice", AttachmentChanged)) == 2


def two_families(*, endpoints: tuple[str, ...]) -> Stack:
    """A host whose one node has these endpoints."""
    domain, node, alice = (make_keys(letter * 32) for letter in (b"d", b"n", b"a"))
    issuer = Issuer("isp-a", 1, domain, expires_unix_s=2_000)
    records = verify_records(
        [
            issuer.domain(),
            issuer.node(node, "sn1.isp-a", endpoints=endpoints, services=()),
            issuer.enrol(alice, "alice.isp-a"),
            issuer.attach(alice, nodes=(node.address(1),), sequence=1),
        ],
        trust={"isp-a": domain.identity_key},
        unix_s=1_000,
    )
    identity = Identity("alice.isp-a", alice.address(1), alice)
    return Stack(identity, records, numbers=Random(1))


@pytest.mark.parametrize(
    ("own", "called"), [("192.0.2.9:1", "192.0.2.1:1"), ("[2001:db8::9]:1", "[2001:db8::1]:1")]
)
def test_a_node_is_called_at_an_endpoint_of_the_own_ip_family(own: str, called: str) -> None:
    stack = two_families(endpoints=("[2001:db8::1]:1", "192.0.2.1:1"))

    stack.start(0, own)

    assert {endpoint for endpoint, _ in stack.datapath.take_datagrams()} == {called}


def test_a_host_whose_nodes_are_all_of_another_ip_family_is_told() -> None:
    stack = two_families(endpoints=("[2001:db8::1]:1",))

    with pytest.raises(ConfigError, match=r"family of 192\.0\.2\.9:1: sn1\.isp-a at \[2001:"):
        stack.start(0, "192.0.2.9:1")


def test_a_datagram_arrives_with_its_proven_source_and_ports(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]

    _ = alice.datagrams.send(world.now_ns, bob.identity.address, b"hello", port=7, source_port=9)
    world.run()

    assert world.of("bob", DatagramReceived) == [
        DatagramReceived(alice.identity.address, 9, 7, b"hello", None)
    ]


def test_many_datagrams_wait_for_one_session_and_all_arrive(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]

    for number in range(32):
        _ = alice.datagrams.send(world.now_ns, bob.identity.address, bytes([number]), port=7)
    world.run()

    assert {event.data for event in world.of("bob", DatagramReceived)} == {
        bytes([number]) for number in range(32)
    }


def test_a_ping_is_answered_by_the_other_hosts_stack(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]

    number = alice.datagrams.ping(world.now_ns, bob.identity.address, b"data")
    world.run()

    [echo] = world.of("alice", EchoReceived)
    assert isinstance(echo, EchoReceived)
    assert (echo.source, echo.number, echo.data) == (bob.identity.address, number, b"data")


def test_a_receipt_is_the_destinations_own_statement(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]
    message = alice.datagrams.send_message(world.now_ns, bob.identity.address, b"x", port=7)
    world.run()
    [datagram] = world.of("bob", DatagramReceived)
    assert isinstance(datagram, DatagramReceived)
    assert world.of("alice", ReceiptReceived) == []

    bob.datagrams.acknowledge(world.now_ns, datagram, "delivered")
    world.run()

    assert world.of("alice", ReceiptReceived) == [
        ReceiptReceived(bob.identity.address, message.number, "delivered")
    ]


def test_streams_run_over_the_same_pipes(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]
    key, _ = alice.streams.connect(world.now_ns, bob.identity.address)
    world.run()
    assert len(world.of("alice", StreamConnected)) == 1

    stream = alice.streams.open_stream(key, 80)
    assert stream is not None
    data = bytes(200_000)
    written = alice.streams.write(stream, data, 0)
    world.run(1_000)

    [arrived] = world.of("bob", StreamArrived)
    assert isinstance(arrived, StreamArrived)
    got, state, _ = bob.streams.read((arrived.peer, arrived.connection, arrived.stream), 1 << 20)
    assert (written, len(got), state) == (200_000, 200_000, "open")


def test_traffic_moves_to_the_other_node_when_the_first_falls_silent(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]
    _ = alice.datagrams.ping(world.now_ns, bob.identity.address)
    world.run()
    world.is_lost = lambda source, to: "sn1" in (source, to)

    for _ in range(40):
        _ = alice.datagrams.ping(world.now_ns, bob.identity.address)
        world.run(50)

    assert world.records.name_of(alice.attachments.via) == "sn2.isp-a"
    assert len(world.of("alice", EchoReceived)) > 20


def test_a_host_that_was_restarted_is_talked_to_again_at_once(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"].identity.address
    _ = alice.datagrams.ping(world.now_ns, bob)
    world.run()
    world.restart("bob")

    for _ in range(10):
        _ = alice.datagrams.ping(world.now_ns, bob)
        world.run()

    assert len(world.of("alice", EchoReceived)) >= 1 + 6


def test_a_datagram_that_no_path_carries_is_refused_with_what_to_do(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]

    with pytest.raises(LimitError, match="1268 B; allowed are 1267 B") as caught:
        _ = alice.datagrams.send(world.now_ns, bob.identity.address, bytes(1_268), port=7)

    assert "stream" in caught.value.remedy


def test_the_largest_datagram_arrives(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]

    _ = alice.datagrams.send(world.now_ns, bob.identity.address, bytes(1_267), port=7)
    world.run()

    assert len(world.of("bob", DatagramReceived)) == 1


def test_strangers_bytes_are_counted_and_nothing_more(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]

    for payload in (b"", bytes(40), bytes(1_200)):
        bob.datagrams.take(world.now_ns, alice.identity.address, 1, payload)
        bob.datagrams.take(world.now_ns, world.hosts["bob"].attachments.via, 1, payload)

    assert world.of("bob", DatagramReceived) == []
    dropped = bob.statistics().dropped
    assert dropped["unknown_source"] == 3
    assert dropped["bad_end_to_end"] == 3


def test_a_host_that_the_records_do_not_know_says_what_to_do(world: "World") -> None:
    identity = world.hosts["alice"].identity
    stranger = type(identity)("eve.isp-a", identity.keys.address(9), identity.keys)

    with pytest.raises(ConfigError, match="know no host with the key of eve") as caught:
        _ = Stack(stranger, world.records, numbers=Random(1))

    assert "enrol" in caught.value.remedy


def test_what_a_node_says_unasked_is_counted_and_nothing_more(world: "World") -> None:
    alice, sn1 = world.hosts["alice"], world.nodes["sn1"]

    sn1.send_control(
        world.now_ns, alice.identity.address, ATTACHMENT, encode(Explained(7, b"forged"))
    )
    world.run()

    assert alice.statistics().dropped["not_asked"] == 1
    assert world.of("alice", StatementReceived) == []
