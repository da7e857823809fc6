"""Whom a node knows."""

from ei.node.peers import Peer, peers_of
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records

DOMAIN, SN1, SN2, ALICE = (make_keys(letter * 32) for letter in (b"d", b"1", b"2", b"a"))


def records() -> RecordSet:
    issuer = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
    return verify_records(
        [
            issuer.domain(),
            issuer.node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=()),
            issuer.node(SN2, "sn2.isp-a", endpoints=("[::1]:1", "127.0.0.2:1"), services=()),
            issuer.enrol(ALICE, "alice.isp-a"),
            issuer.attach(ALICE, nodes=(SN2.address(1),), sequence=1),
        ],
        trust={"isp-a": DOMAIN.identity_key},
        unix_s=1_000,
    )


def test_a_node_knows_the_other_nodes_and_the_hosts_that_name_it() -> None:
    assert peers_of(SN1.address(1), records(), binds=("127.0.0.1:1",)) == {
        SN2.address(1): Peer(SN2.pipe_key, "node", "127.0.0.2:1")
    }
    assert peers_of(SN2.address(1), records(), binds=("[::1]:1", "127.0.0.2:1")) == {
        SN1.address(1): Peer(SN1.pipe_key, "node", "127.0.0.1:1"),
        ALICE.address(1): Peer(ALICE.pipe_key, "host", None),
    }


def test_a_node_of_another_ip_family_is_left_to_call() -> None:
    peers = peers_of(SN2.address(1), records(), binds=("[::1]:1",))

    assert peers[SN1.address(1)].endpoint is None
