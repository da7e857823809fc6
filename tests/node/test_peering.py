"""A domain becomes a neighbour by its key, never by its name alone."""

import pytest

from ei.errors import ConfigError, IntegrityError, NotFoundError
from ei.node.peering import FoundDomain, choose_domain, find_domains
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.lists import RevocationList, seal_list

A, B, THIEF, SN1 = (make_keys(letter * 32) for letter in (b"A", b"B", b"T", b"1"))
OWN = FoundDomain("isp-a", 1, A.identity_key)
OTHER = FoundDomain("isp-b", 2, B.identity_key)
PRINT = B.identity_key.hex()


def test_domains_are_found_with_the_keys_that_signed_for_them() -> None:
    own, other, thief = (
        Issuer(name, number, keys, expires_unix_s=2_000)
        for name, number, keys in (("isp-a", 1, A), ("isp-b", 2, B), ("isp-b", 2, THIEF))
    )
    node = own.node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=())
    listed = seal_list(RevocationList("isp-a", 1, 1_000, ()), [A])

    found = find_domains([own.domain(), node, listed, other.domain(), b"junk", thief.domain()])

    assert found == [OWN, OTHER, FoundDomain("isp-b", 2, THIEF.identity_key)]


@pytest.mark.parametrize(
    "said",
    [PRINT, PRINT[:32], PRINT.upper(), ":".join(PRINT[at : at + 2] for at in range(0, 64, 2))],
)
def test_the_fingerprint_chooses_the_domain(said: str) -> None:
    assert choose_domain([OWN, OTHER], fingerprint=said, own="isp-a") == OTHER


@pytest.mark.parametrize("said", ["", "ab12", PRINT[:31], PRINT[:31] + "x"])
def test_what_is_too_short_to_prove_anything_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="at least 32 hexadecimal digits"):
        _ = choose_domain([OWN, OTHER], fingerprint=said, own="isp-a")


def test_a_domain_with_another_key_is_refused_with_the_key_that_was_seen() -> None:
    thief = FoundDomain("isp-b", 2, THIEF.identity_key)

    with pytest.raises(IntegrityError, match=THIEF.identity_key.hex()):
        _ = choose_domain([thief], fingerprint=PRINT, own="isp-a", name="isp-b")
    assert choose_domain([thief, OTHER], fingerprint=PRINT, own="isp-a", name="isp-b") == OTHER


def test_the_own_domain_is_no_neighbour_and_one_without_records_is_said() -> None:
    with pytest.raises(NotFoundError, match="no record of another domain"):
        _ = choose_domain([OWN], fingerprint=A.identity_key.hex(), own="isp-a")
    with pytest.raises(NotFoundError, match="no record of isp-c"):
        _ = choose_domain([OWN, OTHER], fingerprint=PRINT, own="isp-a", name="isp-c")
