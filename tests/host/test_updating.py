"""A host whose records change: what rests on lost keys ends at once, the rest goes on."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.host.conftest import DOMAIN, UNIX_S, keys_of

from ei.errors import ConfigError, NotFoundError
from ei.host.events import DatagramReceived, StreamConnected, StreamLost
from ei.records.lists import RevocationList, SignedList
from ei.records.record_set import RecordSet

if TYPE_CHECKING:
    from tests.host.conftest import World


def without(records: RecordSet, name: str) -> RecordSet:
    """Return the records as if the key of `name` were revoked."""
    gone = records.find(f"{name}.isp-a")
    return replace(
        records,
        enrolments={key: each for key, each in records.enrolments.items() if key != gone},
        nodes={key: each for key, each in records.nodes.items() if key != gone},
        names={name: address for name, address in records.names.items() if address != gone},
        revoked={"isp-a": frozenset({keys_of(name).identity_key})},
    )


def with_list_of(records: RecordSet, signed_unix_s: int) -> RecordSet:
    body = RevocationList("isp-a", 1, signed_unix_s, ())
    signed = SignedList(body, frozenset({DOMAIN.identity_key}), b"")
    return replace(records, revocations={"isp-a": signed})


def test_the_pipe_to_a_revoked_node_ends_and_the_other_is_used(world: "World") -> None:
    alice = world.hosts["alice"]

    alice.update(world.now_ns, without(world.records, "sn1"))
    world.run(2_000)

    sn1, sn2 = (keys_of(name).address(1) for name in ("sn1", "sn2"))
    assert alice.attachments.up == (sn2,)
    assert alice.attachments.via == sn2
    assert sn1.hex() not in alice.datapath.statistics()["peers"]  # type: ignore[operator]


def test_a_revoked_host_is_heard_no_more(world: "World") -> None:
    alice, bob = world.hosts["alice"], world.hosts["bob"]
    alice_at, bob_at = keys_of("alice").address(1), keys_of("bob").address(1)
    alice.datagrams.send(world.now_ns, bob_at, b"before", port=7)
    world.run(200)

    alice.update(world.now_ns, without(world.records, "bob"))
    bob.datagrams.send(world.now_ns, alice_at, b"after", port=7)
    world.run(5_000)  # until nobody has answered who that is

    assert len(world.of("bob", DatagramReceived)) == 1
    assert world.of("alice", DatagramReceived) == []
    assert alice.statistics().dropped["unknown_source"] > 0
    with pytest.raises(NotFoundError):
        alice.datagrams.send(world.now_ns, bob_at, b"back", port=7)


def test_streams_with_a_revoked_host_end_with_the_reason(world: "World") -> None:
    alice, bob_at = world.hosts["alice"], keys_of("bob").address(1)
    key, _ = alice.streams.connect(world.now_ns, bob_at)
    alice.send_streams(world.now_ns)
    world.run(500)
    assert len(world.of("alice", StreamConnected)) == 1

    alice.update(world.now_ns, without(world.records, "bob"))
    world.run(200)

    (lost,) = world.of("alice", StreamLost)
    assert (lost.peer, lost.connection, lost.kind) == (*key, "revoked")


def test_records_that_change_nothing_for_a_host_end_nothing(world: "World") -> None:
    alice = world.hosts["alice"]
    before = alice.statistics()

    alice.update(world.now_ns, without(world.records, "bob"))
    alice.update(world.now_ns, world.records)
    world.run(500)

    assert len(alice.attachments.up) == 2
    assert alice.statistics().dropped == before.dropped


def test_a_host_that_is_revoked_itself_is_told_and_keeps_its_records(world: "World") -> None:
    alice = world.hosts["alice"]

    with pytest.raises(ConfigError, match="know no host with the key of alice"):
        alice.update(world.now_ns, without(world.records, "alice"))

    assert alice.records == world.records


def test_no_node_of_a_domain_with_a_stale_list_is_called(world: "World") -> None:
    alice = world.hosts["alice"]
    alice.update(world.now_ns, with_list_of(world.records, UNIX_S - 10_000))
    assert len(alice.attachments.up) == 2

    world.is_lost = lambda source, to: "alice" in {source, to}
    world.run(60_000)
    world.is_lost = lambda _from, _to: False
    world.run(60_000)
    assert alice.attachments.up == ()
    assert alice.statistics().dropped["revocation_stale"] > 0

    alice.update(world.now_ns, with_list_of(world.records, UNIX_S + 1_000))
    world.run(60_000)
    assert len(alice.attachments.up) == 2


def test_a_host_that_is_told_other_nodes_moves_and_closes_the_pipe_it_left(world: "World") -> None:
    alice = world.hosts["alice"]
    sn1, sn2 = (keys_of(name).address(1) for name in ("sn1", "sn2"))
    alice.update(world.now_ns, world.records, nodes=[sn1])
    world.run(100)
    assert (alice.attachments.via, alice.attachments.up) == (sn1, (sn1,))

    alice.update(world.now_ns, world.records, nodes=[sn2])
    assert alice.attachments.via == sn1  # until the other one answers
    world.run(100)

    assert (alice.attachments.via, alice.attachments.nodes) == (sn2, (sn2,))
    assert sn1.hex() not in alice.datapath.statistics()["peers"]  # type: ignore[operator]
    assert alice.identity.address.hex() in world.nodes["sn2"].statistics()["peers"]  # type: ignore[operator]
    alice.datagrams.send(world.now_ns, keys_of("bob").address(1), b"by the other", port=7)
    world.run(300)
    assert len(world.of("bob", DatagramReceived)) == 1
