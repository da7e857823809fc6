from ei.records.addresses import parse_address
from ei.ways.names import to_address, to_dns_name, to_name


def test_a_name_under_ei_is_the_name_of_a_host() -> None:
    assert to_name("bob.isp-b.ei") == to_name("BOB.isp-b.EI.") == "bob.isp-b"
    assert to_dns_name("bob.isp-b") == "bob.isp-b.ei"


def test_names_of_the_legacy_dns_are_none_of_ours() -> None:
    for text in ("bob.isp-b", "ei", "ei.", "bob.ei.example", "xei", "x.xei", ""):
        assert to_name(text) is None


def test_an_address_is_known_by_its_prefix() -> None:
    text = "fd35:0:1:9c1b::7"

    assert to_address(text) == to_address(text.upper()) == parse_address(text)
    for other in ("fd36::1", "::1", "192.0.2.1", "fd35", "fd35:zz::", "bob.isp-b"):
        assert to_address(other) is None
