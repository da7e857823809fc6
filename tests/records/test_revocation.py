"""A revoked key stays revoked: no older list, no other signer and no clock brings it back."""

import pytest

from ei.records.keys import Keys, make_keys
from ei.records.lists import RevocationList, SignedList, open_list, seal_list
from ei.records.revocation import (
    REVOCATION_LIMIT_S,
    next_list,
    read_revocations,
    stale_domains,
)

ISP_A, ISP_B = make_keys(b"a" * 32), make_keys(b"b" * 32)
KEYS = {"isp-a": ISP_A.identity_key, "isp-b": ISP_B.identity_key}
STOLEN, OTHER = b"1" * 32, b"2" * 32
HOUR_S = 3_600


def signed(
    number: int, *keys: bytes, by: Keys = ISP_A, domain: str = "isp-a", at_s: int = 10_000
) -> SignedList[RevocationList]:
    body = RevocationList(domain, number, at_s, keys)
    opened = open_list(seal_list(body, [by]))
    return SignedList(body, opened.signers, opened.envelope)


def test_of_several_lists_the_newest_counts_in_any_order() -> None:
    read = read_revocations(
        KEYS, [signed(2, STOLEN), signed(1), signed(1, domain="isp-b", by=ISP_B)]
    )

    assert read.refused == ()
    assert {domain: each.body.number for domain, each in read.revocations.items()} == {
        "isp-a": 2,
        "isp-b": 1,
    }


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (signed(3, by=ISP_B), "not signed by domain isp-a"),
        (signed(3, domain="isp-x"), "no key of domain 'isp-x' is trusted here"),
        (signed(3, OTHER, STOLEN), "its keys are not in order, each once"),
        (signed(3, STOLEN, STOLEN), "its keys are not in order, each once"),
        (signed(2**54), "its number is not 1 to 9007199254740992"),
        (signed(1), "number 1 is not above 2, seen before (rollback)"),
        (signed(2), "number 2 is not above 2, seen before (rollback)"),
    ],
)
def test_a17_nobody_takes_a_revocation_back(
    attack: SignedList[RevocationList], reason: str
) -> None:
    read = read_revocations(KEYS, [attack], known=[signed(2, STOLEN)])

    assert read.revocations["isp-a"].body.keys == (STOLEN,)
    assert [why for _, why in read.refused] == [reason]


def test_a_domain_with_a_new_key_begins_again() -> None:
    read = read_revocations(
        {"isp-a": ISP_B.identity_key}, [signed(1, by=ISP_B)], known=[signed(9, STOLEN)]
    )

    assert read.revocations["isp-a"].body.number == 1


def test_a_list_is_stale_after_a_quarter_of_an_hour_and_revokes_for_ever() -> None:
    read = read_revocations(KEYS, [signed(1, STOLEN, at_s=10_000)])

    def stale(unix_s: float) -> dict[str, float]:
        return stale_domains(read.revocations, unix_s=unix_s, limit_s=REVOCATION_LIMIT_S)

    assert stale(10_000 + 900) == {}
    assert stale(10_000 + 901) == {"isp-a": 901}
    assert read.revocations["isp-a"].body.keys == (STOLEN,)


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_jumps_an_hour_revokes_nothing_and_brings_nothing_back(jump_s: int) -> None:
    read = read_revocations(KEYS, [signed(1, STOLEN, at_s=10_000)])
    stale = stale_domains(read.revocations, unix_s=10_000 + jump_s, limit_s=REVOCATION_LIMIT_S)

    assert stale == ({"isp-a": 3_600} if jump_s > 0 else {})
    assert read.revocations["isp-a"].body.keys == (STOLEN,)


def test_a_signer_whose_clock_jumps_back_still_signs_the_newer_list() -> None:
    first = next_list(None, domain="isp-a", unix_s=10_000)
    second = next_list(first, domain="isp-a", unix_s=10_000 - HOUR_S, revoke=[STOLEN])

    assert (first.number, second.number) == (1, 2)
    assert second.keys == (STOLEN,)
    assert next_list(second, domain="isp-a", unix_s=11_000, revoke=[OTHER, STOLEN]).keys == (
        STOLEN,
        OTHER,
    )
