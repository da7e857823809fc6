"""The lines of a zone that say where a domain's nodes are."""

import pytest

from ei.errors import ConfigError
from ei.records.dns_zone import zone_lines
from ei.records.kinds import NodeRecord
from ei.sdk.packets import Address


def node(name: str, *endpoints: str) -> NodeRecord:
    return NodeRecord(Address(b"n" * 16), name, b"i" * 32, b"p" * 32, endpoints, (), 2_000)


def test_a_zone_has_a_service_for_each_node_and_the_addresses_of_each() -> None:
    nodes = [
        node("sn2.isp-a", "192.0.2.2:3535"),
        node("sn1.isp-a", "[2001:db8::1]:3535", "192.0.2.1:3535"),
    ]

    assert zone_lines(nodes, "ISP-A.example.", ttl_s=300) == [
        "_ei._udp.isp-a.example. 300 IN SRV 10 10 3535 sn1.isp-a.example.",
        "_ei._udp.isp-a.example. 300 IN SRV 10 10 3535 sn2.isp-a.example.",
        "sn1.isp-a.example. 300 IN AAAA 2001:db8::1",
        "sn1.isp-a.example. 300 IN A 192.0.2.1",
        "sn2.isp-a.example. 300 IN A 192.0.2.2",
    ]


def test_a_node_with_two_ports_has_a_service_for_each() -> None:
    lines = zone_lines([node("sn1.isp-a", "192.0.2.1:1", "192.0.2.1:2")], "a.example", ttl_s=60)

    assert [line.split()[6] for line in lines[:2]] == ["1", "2"]
    assert len(lines) == 3


@pytest.mark.parametrize("zone", ["", ".", "a..b", "-a.example", "a b", "x" * 64, "a\nb"])
def test_what_is_no_name_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a DNS domain"):
        _ = zone_lines([], zone, ttl_s=60)
