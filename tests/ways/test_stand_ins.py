from dns.rcode import Rcode
from dns.rdatatype import RdataType
from tests.ways.messages import question

from ei.ways.stand_ins import NETWORK, StandIns


def test_a_name_has_one_address_that_leads_back_to_it() -> None:
    names = StandIns()

    first, second = names.address_of("a.example"), names.address_of("b.example")

    assert first != second
    assert {first, second} <= set(NETWORK)
    assert names.address_of("a.example") == first
    assert names.name_of(str(first)) == "a.example"
    assert names.name_of("198.19.7.7") is None
    assert names.name_of("192.0.2.1") is None
    assert names.name_of("2001:db8::1") is None


def test_beyond_the_limit_the_name_goes_that_was_not_used_for_longest() -> None:
    names = StandIns(limit=2)
    first, second = names.address_of("a.example"), names.address_of("b.example")
    _ = names.name_of(str(first))

    third = names.address_of("c.example")

    assert third == second
    assert names.name_of(str(first)) == "a.example"
    assert names.name_of(str(third)) == "c.example"
    assert names.address_of("b.example") == first


def test_there_is_room_for_as_many_names_as_the_network_has_addresses_left() -> None:
    names = StandIns()

    addresses = {names.address_of(f"n{number}.example") for number in range(70_000)}

    assert addresses <= set(NETWORK)
    assert NETWORK.broadcast_address not in addresses


def test_a_legacy_name_has_its_stand_in_and_no_other_address() -> None:
    names = StandIns()

    said = names.invent(question("WWW.example.com.", "A"))

    assert said is not None
    [(kind, content)] = said.records
    assert (kind, names.name_of(content)) == (RdataType.A, "www.example.com")
    for other in ("AAAA", "HTTPS", "SVCB"):
        nothing = names.invent(question("www.example.com.", other))
        assert nothing is not None
        assert (nothing.rcode, nothing.records) == (Rcode.NOERROR, ())
    for other in ("MX", "TXT", "SRV"):
        assert names.invent(question("www.example.com.", other)) is None


def test_what_can_be_no_host_is_missing() -> None:
    for name in ("intranet.", "a..example.".replace("..", r"\000."), "*.example.", "."):
        said = StandIns().invent(question(name, "A"))
        assert said is not None
        assert said.rcode == Rcode.NXDOMAIN, name


def test_this_machine_is_itself() -> None:
    for name, kind, address in (
        ("localhost.", "A", "127.0.0.1"), ("x.localhost.", "AAAA", "::1"),
    ):  # fmt: skip
        said = StandIns().invent(question(name, kind))
        assert said is not None
        assert [content for _, content in said.records] == [address]


def test_a_stand_in_has_its_name_in_reverse() -> None:
    names = StandIns()
    last = str(names.address_of("a.example")).split(".")

    known = names.invent(question(".".join([*reversed(last), "in-addr.arpa."]), "PTR"))
    unknown = names.invent(question("9.9.19.198.in-addr.arpa.", "PTR"))
    strange = names.invent(question("x.y.z.19.198.in-addr.arpa.", "PTR"))

    assert known is not None
    assert known.records == ((RdataType.PTR, "a.example."),)
    for said in (unknown, strange):
        assert said is not None
        assert said.rcode == Rcode.NXDOMAIN
