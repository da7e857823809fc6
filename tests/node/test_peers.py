"""Whom a node knows."""

from ei.node.peers import Peer, peers_of
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records

DOMAIN, SN1, SN2, ALICE, BERT, CARL = (
    make_keys(letter * 32) for letter in (b"d", b"1", b"2", b"a", b"b", b"c")
)
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
ENVELOPES = [
    ISSUER.domain(),
    ISSUER.node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=()),
    ISSUER.node(SN2, "sn2.isp-a", endpoints=("[::1]:1", "127.0.0.2:1"), services=()),
    ISSUER.enrol(ALICE, "alice.isp-a"),
    ISSUER.attach(ALICE, nodes=(SN2.address(1),), sequence=1),
]


def records() -> RecordSet:
    return verify_records(ENVELOPES, trust={"isp-a": DOMAIN.identity_key}, unix_s=1_000)


def test_a_node_knows_the_other_nodes_and_the_hosts_of_its_domain() -> None:
    assert peers_of(SN1.address(1), records(), binds=("127.0.0.1:1",)) == {
        SN2.address(1): Peer(SN2.pipe_key, "node", "127.0.0.2:1"),
        ALICE.address(1): Peer(ALICE.pipe_key, "host", None),
    }
    assert peers_of(SN2.address(1), records(), binds=("[::1]:1", "127.0.0.2:1")) == {
        SN1.address(1): Peer(SN1.pipe_key, "node", "127.0.0.1:1"),
        ALICE.address(1): Peer(ALICE.pipe_key, "host", None),
    }


def test_a_host_of_another_domain_is_known_where_it_is_attached() -> None:
    abroad = make_keys(b"g" * 32)
    issuer, own = Issuer("isp-b", 2, abroad, expires_unix_s=2_000), records()
    envelopes = [
        issuer.domain(), issuer.enrol(BERT, "bert.isp-b"), issuer.enrol(CARL, "carl.isp-b"),
        issuer.attach(BERT, nodes=(SN1.address(1),), sequence=1),
        issuer.attach(CARL, nodes=(SN2.address(1),), sequence=1),
    ]  # fmt: skip
    trust = {"isp-a": DOMAIN.identity_key, "isp-b": abroad.identity_key}
    known = verify_records([*ENVELOPES, *envelopes], trust=trust, unix_s=1_000)
    assert known.refused == own.refused

    peers = peers_of(SN1.address(1), known, binds=("127.0.0.1:1",))

    assert BERT.address(2) in peers
    assert CARL.address(2) not in peers


def test_a_node_of_another_ip_family_is_left_to_call() -> None:
    peers = peers_of(SN2.address(1), records(), binds=("[::1]:1",))

    assert peers[SN1.address(1)].endpoint is None
