"""What came over the network is held to the rules of the file."""

import pytest

from ei.records.envelope import open_record, seal_record
from ei.records.fields import Refused
from ei.records.foreign import verify_foreign
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.kinds import AttachmentRecord, DomainRecord, Enrolment
from ei.records.record_set import RecordSet, verify_records

NOW_S = 1_000.0
DOMAIN, OTHER, ALICE, BOB, NODE = (
    make_keys(letter * 32) for letter in (b"d", b"o", b"a", b"b", b"n")
)
ISP_A = Issuer("isp-a", 1, DOMAIN, 2_000)
ISP_B = Issuer("isp-b", 2, OTHER, 2_000)
NODES = (NODE.address(1),)
NODE_RECORD = ISP_A.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,))
TRUST = {"isp-a": DOMAIN.identity_key, "isp-b": OTHER.identity_key}
FILE = (ISP_A.domain(), ISP_B.domain(), NODE_RECORD, ISP_A.enrol(ALICE, "alice.isp-a"))
RECORDS = verify_records(FILE, trust=TRUST, unix_s=NOW_S)


def verify(*envelopes: bytes, records: RecordSet = RECORDS, unix_s: float = NOW_S) -> object:
    opened = [open_record(envelope) for envelope in envelopes]
    return verify_foreign(opened, records, unix_s=unix_s, attachment_limit_s=3_600)


def test_a_host_of_another_domain_is_believed_on_its_domains_word() -> None:
    record = verify(ISP_B.enrol(BOB, "bob.isp-b"))

    assert isinstance(record, Enrolment)
    assert BOB.address(2) not in RECORDS.enrolments


def test_an_attachment_counts_with_the_enrolment_that_comes_before_it() -> None:
    attachment = ISP_B.attach(BOB, nodes=NODES, sequence=5)

    record = verify(ISP_B.enrol(BOB, "bob.isp-b"), attachment)

    assert record == AttachmentRecord(BOB.address(2), NODES, 5, 2_000)
    with pytest.raises(Refused, match="not enrolled"):
        verify(attachment)


def test_what_is_known_from_the_file_already_is_no_replay() -> None:
    envelope = ISP_A.attach(ALICE, nodes=(*NODES, BOB.address(2)), sequence=5)
    records = verify_records((*FILE, envelope), trust=TRUST, unix_s=NOW_S)

    record = verify(ISP_A.enrol(ALICE, "alice.isp-a"), envelope, records=records)

    assert record == AttachmentRecord(ALICE.address(1), NODES, 5, 2_000)
    with pytest.raises(Refused, match="expired"):
        verify(envelope, records=records, unix_s=2_000)


def sealed(record: Enrolment, signer: Keys) -> bytes:
    return seal_record(record, signer)


BAD = {
    "wrong_signer": sealed(
        Enrolment(BOB.address(2), ("bob.isp-b",), BOB.identity_key, BOB.pipe_key, 2_000), DOMAIN
    ),
    "squatted_name": ISP_B.enrol(BOB, "alice.isp-a"),
    "squatted_address": sealed(
        Enrolment(ALICE.address(2), ("bob.isp-b",), BOB.identity_key, BOB.pipe_key, 2_000), OTHER
    ),
    "taken_key": sealed(
        Enrolment(BOB.address(2), ("bob.isp-b",), BOB.identity_key, ALICE.pipe_key, 2_000), OTHER
    ),
    "expired": Issuer("isp-b", 2, OTHER, 999).enrol(BOB, "bob.isp-b"),
    "bad_field": NODE_RECORD,
    "unknown_domain": Issuer("isp-c", 3, OTHER, 2_000).enrol(BOB, "bob.isp-c"),
}


@pytest.mark.parametrize("word", BAD)
def test_what_may_not_be_said_is_refused_by_its_word(word: str) -> None:
    with pytest.raises(Refused) as refused:
        verify(BAD[word])

    assert refused.value.word == word


def test_nothing_is_believed_of_a_domain_whose_record_has_expired() -> None:
    short = (seal_record(DomainRecord("isp-b", 2, 1_500), OTHER), ISP_A.domain(), NODE_RECORD)
    records = verify_records(short, trust=TRUST, unix_s=NOW_S)

    with pytest.raises(Refused, match="the record of domain isp-b has expired"):
        verify(ISP_B.enrol(BOB, "bob.isp-b"), records=records, unix_s=1_500)
