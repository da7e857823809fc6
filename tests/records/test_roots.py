"""Who speaks for a domain: the operator's word first, then governance while its word is fresh."""

from ei.records.lists import DomainList, ListedDomain
from ei.records.roots import find_roots

LISTED = DomainList(
    7,
    2_000,
    (),
    1,
    (ListedDomain("isp-a", 1, b"a", 2_000), ListedDomain("isp-b", 2, b"b", 1_500)),
)


def test_a_listed_domain_is_trusted_until_its_place_expires() -> None:
    assert find_roots({}, LISTED, unix_s=1_000).keys == {"isp-a": b"a", "isp-b": b"b"}
    later = find_roots({}, LISTED, unix_s=1_600)

    assert later.keys == {"isp-a": b"a"}
    assert later.reasons == {"isp-b": "its place in domain list 7 expired 100 s ago"}


def test_a_list_that_nobody_renews_ends_all_it_says() -> None:
    frozen = find_roots({}, LISTED, unix_s=2_000)

    assert frozen.keys == {}
    assert frozen.reasons["isp-a"] == "domain list 7 expired 0 s ago, and no newer one came"


def test_what_the_configuration_pins_counts_before_the_list_and_after_it() -> None:
    pinned = {"isp-a": b"own"}

    assert find_roots(pinned, LISTED, unix_s=1_000).keys == {"isp-a": b"own", "isp-b": b"b"}
    late = find_roots(pinned, LISTED, unix_s=9_000)
    assert late.keys == pinned
    assert "isp-a" not in late.reasons
    assert find_roots(pinned, None, unix_s=1_000).keys == pinned
