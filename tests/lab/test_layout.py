"""What the endpoints of a lab promise."""

import pytest

from ei.errors import LimitError
from ei.lab.builder import TopologyBuilder, regular
from ei.lab.layout import lay_out, lay_out_etcd
from ei.lab.topology import Impairment, LinkKind, Topology
from ei.lab.topology_file import parse_topology


def triangle() -> Topology:
    builder = TopologyBuilder("triangle")
    builder.domain("d")
    builder.node("a.d")
    builder.node("b.d")
    builder.host("h.d", nodes=["b.d"])
    builder.link_default(LinkKind.NODE, Impairment(delay_ms=3))
    return builder.build()


def test_no_endpoint_is_given_twice() -> None:
    layout = lay_out(regular(nodes=20, hosts=300), subnet="127.9")

    sides = [side for relay in layout.relays.values() for side in (relay.a_side, relay.b_side)]
    given = [*layout.endpoints.values(), *sides]

    assert len(set(given)) == len(given) == 320 + 2 * (190 + 600)
    assert all(endpoint.startswith("127.9.") for endpoint in given)


def test_each_end_of_a_link_finds_the_other_at_its_own_side_of_the_relay() -> None:
    layout = lay_out(triangle(), subnet="127.1")

    relay = layout.relays["a.d", "b.d"]
    assert layout.seen_from("a.d", "b.d") == relay.a_side == "127.1.128.0:3535"
    assert layout.seen_from("b.d", "a.d") == relay.b_side == "127.1.128.1:3535"
    assert (relay.a_endpoint, relay.b_endpoint) == ("127.1.0.1:3535", "127.1.0.2:3535")
    assert (relay.name, relay.impairment.delay_ms) == ("a.d--b.d", 3)


def test_a_host_has_relays_only_to_the_nodes_it_attaches_to() -> None:
    layout = lay_out(triangle(), subnet="127.1")

    assert layout.seen_from("h.d", "b.d") == layout.relays["b.d", "h.d"].b_side
    assert layout.seen_from("h.d", "a.d") == layout.endpoints["a.d"]


def test_without_relays_everybody_is_found_directly() -> None:
    layout = lay_out(triangle(), subnet="10.0", has_relays=False)

    assert layout.seen_from("a.d", "b.d") == "10.0.0.2:3535"


def test_more_links_than_there_are_endpoints_for_are_refused() -> None:
    with pytest.raises(LimitError, match="19900 links in one lab, allowed are 16383"):
        lay_out(regular(nodes=200, hosts=0), subnet="127.1")


def test_etcd_has_addresses_that_no_node_comes_near() -> None:
    plan = parse_topology(
        "version = 1\n[domains.a.nodes.x]\n[domains.a.cluster]\nmembers = ['x']\netcd = 2", name="t"
    )

    assert lay_out_etcd(plan, subnet="127.3") == {
        "etcd1.a": "127.3.127.254",
        "etcd2.a": "127.3.127.253",
    }
