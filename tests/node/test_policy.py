"""A node takes packets of whom its configuration names, and says what is missing for the rest."""

from dataclasses import replace

import msgspec
import pytest

from ei.errors import ConfigError
from ei.node.config import NodeConfig
from ei.node.peers import Peer, peers_of
from ei.node.policy import (
    RefusalWarnings,
    TrafficPolicy,
    check_guards,
    foreign_domains,
    refused_peers,
)
from ei.node.status import PeerStatus
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records
from ei.sdk import Address

A, B, SN1, SN2, SNB, ALICE, BOB = (make_keys(bytes([letter]) * 32) for letter in b"AB123ab")
OWN = Issuer("isp-a", 1, A, expires_unix_s=2_000)
OTHER = Issuer("isp-b", 2, B, expires_unix_s=2_000)
NODE_LINE, HOST_LINE = '[neighbours] isp-b = "peer"', 'guests = ["isp-b"]'


def records() -> RecordSet:
    """Two nodes and a host of isp-a; a node and a host of isp-b, which is attached to sn1.isp-a."""
    at = (SN1.address(1),)
    return verify_records(
        [
            OWN.domain(), OTHER.domain(),
            OWN.node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=()),
            OWN.node(SN2, "sn2.isp-a", endpoints=("127.0.0.2:1",), services=()),
            OTHER.node(SNB, "sn1.isp-b", endpoints=("127.0.0.3:1",), services=()),
            OWN.enrol(ALICE, "alice.isp-a"), OWN.attach(ALICE, nodes=at, sequence=1),
            OTHER.enrol(BOB, "bob.isp-b"), OTHER.attach(BOB, nodes=at, sequence=1),
        ],
        trust={"isp-a": A.identity_key, "isp-b": B.identity_key},
        unix_s=1_000,
    )  # fmt: skip


def config(**changes: object) -> NodeConfig:
    made = NodeConfig(version=1, name="sn1.isp-a", domain_number=1, binds=("127.0.0.1:1",))
    return msgspec.structs.replace(made, **changes)


def peers() -> dict[Address, Peer]:
    return peers_of(SN1.address(1), records(), binds=("127.0.0.1:1",))


def refused(**changes: object) -> dict[Address, str]:
    return refused_peers(peers(), config(**changes), records())


def test_f6_without_a_policy_other_domains_are_refused_each_with_the_line_that_allows_it() -> None:
    assert refused() == {SNB.address(2): NODE_LINE, BOB.address(2): HOST_LINE}


def test_a_neighbour_brings_packets_and_its_hosts_are_no_guests_yet() -> None:
    assert refused(neighbours={"isp-b": "customer"}) == {BOB.address(2): HOST_LINE}


def test_a_guest_may_use_the_node_and_its_domains_nodes_bring_nothing_yet() -> None:
    assert refused(guests=("isp-b",)) == {SNB.address(2): NODE_LINE}


def test_the_line_for_guests_keeps_those_that_are_named() -> None:
    assert refused(guests=("isp-c",))[BOB.address(2)] == 'guests = ["isp-c", "isp-b"]'


def test_a_lab_may_say_that_everybody_is_welcome() -> None:
    assert refused(policy="lab-permissive") == {}
    assert foreign_domains(config(policy="lab-permissive"), records()) == []
    assert foreign_domains(config(), records()) == ["isp-b"]


@pytest.mark.parametrize(
    ("changes", "relations"),
    [
        ({}, {}),
        ({"policy": "lab-permissive"}, None),
        ({"policy": "lab-permissive", "neighbours": {"isp-b": "peer"}}, {"isp-b": "peer"}),
    ],
)
def test_who_is_a_neighbour_by_default_depends_on_the_policy(
    changes: dict[str, object], relations: object
) -> None:
    assert config(**changes).relations == relations


def test_guards_stand_before_hosts_that_are_attached_here_and_before_other_nodes() -> None:
    own = SN1.address(1)
    good = dict.fromkeys(("alice.isp-a", "bob.isp-b", "sn2.isp-a", "sn1.isp-b"), ("shield",))

    check_guards(config(guards=good), records(), own)

    for name in ("sn1.isp-a", "nobody.isp-a"):
        with pytest.raises(ConfigError, match=r"is not attached to sn1\.isp-a, nor another node"):
            check_guards(config(guards={name: ("shield",)}), records(), own)


class Remembering:
    """Keeps the commands."""

    def __init__(self) -> None:
        self.carried: list[tuple[bytes, bool]] = []

    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None:
        self.carried.append((address, is_carried))


def test_the_datapath_is_told_of_refusals_and_when_they_end() -> None:
    control = Remembering()
    policy = TrafficPolicy(control)

    policy.use(peers(), config(), records())
    assert sorted(control.carried) == sorted([(SNB.address(2), False), (BOB.address(2), False)])
    control.carried.clear()
    policy.use(peers(), config(neighbours={"isp-b": "peer"}, guests=("isp-b",)), records())
    assert sorted(control.carried) == sorted([(SNB.address(2), True), (BOB.address(2), True)])
    control.carried.clear()
    policy.use({}, config(), replace(records(), domains={}))

    assert control.carried == []
    assert policy.refused == {}


def test_a_refusal_is_said_once_a_minute_while_it_goes_on() -> None:
    warnings = RefusalWarnings()

    def said(refused: int, unix_s: float) -> int:
        peer = PeerStatus(address="x", name="sn1.isp-b", kind="node", refused=refused, allow="line")
        return len(warnings.due([peer], unix_s=unix_s))

    seen = [said(0, 1_000), said(3, 1_010), said(5, 1_020), said(9, 1_071), said(9, 2_000)]
    assert seen == [0, 1, 0, 1, 0]
    assert said(10, 500) == 1
