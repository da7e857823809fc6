"""The issuer signs each kind of record with the key that may."""

from ei.records.envelope import open_record
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.kinds import AttachmentRecord

DOMAIN, ALICE = (make_keys(letter * 32) for letter in (b"d", b"a"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)


def test_a_domain_signs_its_own_record_its_nodes_its_hosts_and_its_groups() -> None:
    envelopes = [
        ISSUER.domain(),
        ISSUER.enrol(ALICE, "alice.isp-a"),
        ISSUER.node(ALICE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,)),
        ISSUER.group("news.isp-a", nodes=(), sequence=1),
    ]

    assert {open_record(envelope)[1] for envelope in envelopes} == {DOMAIN.identity_key}


def test_a_host_signs_its_own_attachment() -> None:
    record, signer = open_record(ISSUER.attach(ALICE, nodes=(), sequence=5))

    assert record == AttachmentRecord(ALICE.address(1), (), 5, 2_000)
    assert signer == ALICE.identity_key
