import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from tests.ways.messages import asked, question

from ei.records.addresses import parse_address
from ei.ways.dns_messages import Question, Said, read_question
from ei.ways.dns_zone import Known, Unknown, is_ours, say, sought

AT = "fd35:0:1:9c1b::7"
BOB = Known("bob.isp-b", parse_address(AT), 86_400.0)
REVERSE = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.1.c.9.1.0.0.0.0.0.0.0.5.3.d.f.ip6.arpa."


def test_names_under_ei_and_our_addresses_in_reverse_are_ours() -> None:
    for name in ("ei.", "bob.isp-b.ei.", "BOB.isp-b.EI.", REVERSE, "5.3.d.f.ip6.arpa."):
        assert is_ours(question(name))
    for name in (".", "xei.", "example.com.", "ei.example.", "6.3.d.f.ip6.arpa.", "d.f.ip6.arpa."):
        assert not is_ours(question(name))


def test_a_host_has_its_address_for_as_long_as_its_record_counts_and_no_longer_than_5_min() -> None:
    asking = question("bob.isp-b.ei.")

    assert sought(asking) == "bob.isp-b"
    assert say(asking, BOB) == Said(records=((RdataType.AAAA, AT),), ttl_s=300)
    assert say(asking, Known("bob.isp-b", BOB.address, 7.9)).ttl_s == 7
    assert say(asking, Known("bob.isp-b", BOB.address, -1.0)).ttl_s == 0


@pytest.mark.parametrize("kind", ["A", "MX", "TXT", "HTTPS", "CNAME"])
def test_a_host_has_nothing_else(kind: str) -> None:
    said = say(question("bob.isp-b.ei.", kind), BOB)

    assert (said.rcode, said.records, said.zone, said.ttl_s) == (Rcode.NOERROR, (), "ei", 5)


def test_an_address_has_a_name_in_reverse() -> None:
    asking = question(REVERSE, "PTR")

    assert sought(asking) == BOB.address
    assert say(asking, BOB).records == ((RdataType.PTR, "bob.isp-b.ei."),)
    assert say(question(REVERSE, "AAAA"), BOB).records == ()


def test_a_part_of_an_address_has_nothing_and_what_is_none_is_missing() -> None:
    for name, rcode in (
        ("5.3.d.f.ip6.arpa.", Rcode.NOERROR),
        ("1.0.0.0.5.3.d.f.ip6.arpa.", Rcode.NOERROR),
        ("x.5.3.d.f.ip6.arpa.", Rcode.NXDOMAIN),
        ("10.5.3.d.f.ip6.arpa.", Rcode.NXDOMAIN),
        ("0." + REVERSE, Rcode.NXDOMAIN),
    ):
        said = sought(question(name, "PTR"))
        assert isinstance(said, Said)
        assert (said.rcode, said.zone) == (rcode, "5.3.d.f.ip6.arpa")


def test_that_there_is_none_is_said_only_by_who_must_know() -> None:
    asking = question("nobody.isp-b.ei.")

    missing = say(asking, Unknown("its domain says so", is_certain=True))
    unsure = say(asking, Unknown("no directory answers"))
    domain = say(question("isp-b.ei."), Unknown("a domain", is_domain=True))

    assert (missing.rcode, missing.zone, missing.text) == (
        Rcode.NXDOMAIN, "ei", "its domain says so",
    )  # fmt: skip
    assert (unsure.rcode, unsure.zone, unsure.text) == (
        Rcode.SERVFAIL, "", "no directory answers",
    )  # fmt: skip
    assert (domain.rcode, domain.zone) == (Rcode.NOERROR, "ei")


def test_what_can_be_no_name_is_not_looked_up() -> None:
    for name in (
        "_http._tcp.bob.isp-b.ei.",
        "-.isp-b.ei.",
        r"a\000b.isp-b.ei.",
        "a" * 60 + ".x.ei.",
    ):
        said = sought(question(name))
        assert isinstance(said, Said)
        assert said.rcode == Rcode.NXDOMAIN


def test_the_zone_says_what_it_is() -> None:
    soa, ns, other = (sought(question("ei.", kind)) for kind in ("SOA", "NS", "AAAA"))

    assert isinstance(soa, Said)
    assert isinstance(ns, Said)
    assert isinstance(other, Said)
    assert soa.records == ((RdataType.SOA, "ei. nobody.invalid. 1 3600 1200 604800 5"),)
    assert ns.records == ((RdataType.NS, "ei."),)
    assert (other.rcode, other.records, other.zone) == (Rcode.NOERROR, (), "ei")


def test_other_classes_are_refused() -> None:
    wire = bytearray(asked("bob.isp-b.ei.", edns_bytes=None))
    wire[-1] = 3  # chaos
    found = read_question(bytes(wire))
    assert isinstance(found, Question)

    said = sought(found)

    assert isinstance(said, Said)
    assert said.rcode == Rcode.REFUSED
