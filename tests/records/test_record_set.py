"""A record set holds what verifies and says what does not."""

import pytest

from ei.errors import LocalError, NotFoundError
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records

DOMAIN, ALICE, NODE = (make_keys(letter * 32) for letter in (b"d", b"a", b"n"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
TRUST = {"isp-a": DOMAIN.identity_key}


def envelopes() -> list[bytes]:
    nodes = (NODE.address(1),)
    return [
        ISSUER.domain(),
        ISSUER.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,)),
        ISSUER.enrol(ALICE, "alice.isp-a", "al.isp-a"),
        ISSUER.attach(ALICE, nodes=nodes, sequence=1),
        ISSUER.group("news.isp-a", nodes=nodes, sequence=1),
    ]


def verified(records: list[bytes]) -> RecordSet:
    return verify_records(records, trust=TRUST, unix_s=1_000)


def test_records_hold_in_any_order() -> None:
    shuffled = envelopes()
    shuffled.reverse()

    records = verified(shuffled)

    assert records.refused == ()
    assert records.find("alice.isp-a") == ALICE.address(1)
    assert records.find("al.isp-a") == ALICE.address(1)
    assert records.name_of(ALICE.address(1)) == "alice.isp-a"
    assert records.name_of(NODE.address(1)) == "sn1.isp-a"
    assert records.name_of(records.find("news.isp-a")) == "news.isp-a"
    assert records.attachments[ALICE.address(1)].nodes == (NODE.address(1),)


def test_a_bad_record_is_refused_with_its_reason_and_harms_no_other() -> None:
    damaged = envelopes()
    damaged[3] = damaged[3][:-1]

    records = verified([*damaged, b"junk"])

    assert records.attachments == {}
    assert [refusal.record for refusal in records.refused] == ["record 3", "record 5"]
    assert ALICE.address(1) in records.enrolments


def test_what_rests_on_a_refused_record_is_refused_too() -> None:
    records = verify_records(envelopes(), trust={}, unix_s=1_000)

    assert len(records.refused) == 5
    assert records.names == {}


def test_a_name_that_nobody_has_is_refused_with_a_suggestion() -> None:
    with pytest.raises(NotFoundError, match="did you mean alice"):
        verified(envelopes()).find("alise.isp-a")


def test_an_address_may_stand_for_a_name() -> None:
    records = verified(envelopes())

    assert records.find("fd35:0:1::7") == bytes.fromhex("fd35000000010000" + "00" * 7 + "07")
    with pytest.raises(LocalError, match="is not an address"):
        records.find("fd36::1")


def test_an_address_without_a_record_is_called_by_its_text() -> None:
    assert verified([]).name_of(bytes.fromhex("fd35" + "00" * 14)) == "fd35::"
