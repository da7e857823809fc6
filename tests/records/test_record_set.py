"""A record set holds what verifies and says what does not."""

import pytest

from ei.errors import LocalError, NotFoundError
from ei.records.governance import Governance
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.lists import DomainList, ListedDomain, RevocationList, seal_list
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
    assert records.identity_key_of(ALICE.address(1)) == ALICE.identity_key
    assert records.identity_key_of(NODE.address(1)) == NODE.identity_key
    assert records.identity_key_of(DOMAIN.address(1)) is None


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


GOVERNORS = tuple(make_keys(letter * 32) for letter in (b"x", b"y", b"z"))
GOVERNANCE = Governance(frozenset(keys.identity_key for keys in GOVERNORS), 2)


def domain_list(number: int, *, domain_number: int = 1, expires_unix_s: int = 2_000) -> bytes:
    body = DomainList(
        number,
        expires_unix_s,
        tuple(keys.identity_key for keys in GOVERNORS),
        2,
        (ListedDomain("isp-a", domain_number, DOMAIN.identity_key, expires_unix_s),),
    )
    return seal_list(body, GOVERNORS[:2])


def governed(records: list[bytes], *, known: tuple[bytes, ...] = ()) -> RecordSet:
    return verify_records(records, trust={}, unix_s=1_000, governance=GOVERNANCE, known=known)


def test_a_domain_that_governance_lists_is_believed() -> None:
    records = governed([*envelopes(), domain_list(1)])

    assert records.refused == ()
    assert ALICE.address(1) in records.enrolments
    assert records.lists == (domain_list(1),)


def test_a_domain_uses_the_number_that_governance_gave_it_and_no_other() -> None:
    records = governed([*envelopes(), domain_list(1, domain_number=7)])

    assert records.why_refused("domain", "isp-a") == "its number is 1, governance gave it 7"
    assert records.enrolments == {}


def test_a_number_that_governance_gave_away_is_not_squatted_by_a_pinned_domain() -> None:
    squatter = Issuer("isp-x", 1, make_keys(b"q" * 32), expires_unix_s=2_000)
    trust = {"isp-x": squatter.keys.identity_key}

    records = verify_records(
        [squatter.domain(), domain_list(1)], trust=trust, unix_s=1_000, governance=GOVERNANCE
    )

    assert records.why_refused("domain", "isp-x") == "number 1 is that of domain isp-a"


def test_a_frozen_list_ends_with_its_reason() -> None:
    records = governed([*envelopes(), domain_list(3, expires_unix_s=990)])

    reason = "domain list 3 expired 10 s ago, and no newer one came"
    assert records.why_refused("domain", "isp-a") == reason
    assert records.enrolments == {}


def test_what_was_seen_is_not_rolled_back() -> None:
    before = governed([domain_list(5)])

    after = governed([*envelopes(), domain_list(4)], known=before.lists)

    assert after.lists == before.lists
    assert "seen before (rollback)" in after.why_refused("domain list", "4")


def test_a_revoked_key_and_all_that_rests_on_it_are_dropped() -> None:
    revocation = seal_list(RevocationList("isp-a", 1, 1_000, (ALICE.identity_key,)), [DOMAIN])

    records = verified([*envelopes(), revocation])

    assert records.enrolments == {}
    assert records.attachments == {}
    assert records.why_refused("enrolment", "alice.isp-a") == "revoked by isp-a"
    assert records.why_refused("attachment", ALICE.address(1)) == "revoked by isp-a"
    assert records.lists == (revocation,)


def test_a_revocation_that_was_seen_counts_also_when_it_is_not_shown_again() -> None:
    revocation = seal_list(RevocationList("isp-a", 1, 1_000, (ALICE.identity_key,)), [DOMAIN])

    records = verify_records(envelopes(), trust=TRUST, unix_s=1_000, known=[revocation])

    assert records.enrolments == {}


def test_a_revocation_is_remembered_while_nobody_speaks_for_its_domain() -> None:
    revocation = seal_list(RevocationList("isp-a", 1, 1_000, (ALICE.identity_key,)), [DOMAIN])
    frozen = governed([domain_list(1, expires_unix_s=990)], known=(revocation,))

    after = governed([*envelopes(), domain_list(2)], known=frozen.lists)

    assert after.domains.keys() == {"isp-a"}
    assert after.enrolments == {}


def test_without_governance_a_list_is_refused_and_harms_nobody() -> None:
    records = verified([*envelopes(), domain_list(1)])

    assert [refusal.record for refusal in records.refused] == ["domain list"]
    assert ALICE.address(1) in records.enrolments
