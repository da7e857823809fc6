"""What records say of domains is found by number, name, key and address."""

from tests.routing.world import make_records, node, node_keys

from ei.routing.atlas import Atlas
from ei.routing.policy import Relation

EDGES = [(1, 2, Relation.CUSTOMER)]


def test_domains_nodes_and_keys_are_found() -> None:
    atlas = Atlas(make_records(EDGES, nodes={2: 2}, services={1: (16, 17)}))

    assert atlas.domains == {1: "d1", 2: "d2"}
    assert atlas.number("d2") == 2
    assert atlas.number("d3") is None
    assert atlas.name(2) == "d2"
    assert atlas.name(3) == "3"
    assert set(atlas.nodes(2)) == {node(2, 0), node(2, 1)}
    assert atlas.nodes(3) == ()
    assert atlas.signer(node_keys(2, 1).identity_key) == (2, node(2, 1))
    assert atlas.signer(bytes(32)) is None
    assert atlas.is_node(node(1))
    assert not atlas.is_node(node(3))
    assert atlas.node_name(node(2, 1)) == "sn1.d2"
    assert atlas.node_name(node(3)) == node(3).hex()
    assert atlas.services(node(1)) == {16, 17}
    assert atlas.services(node(3)) == frozenset()
    assert repr(atlas) == "<Atlas of 2 domains, 3 nodes>"


def test_providers_are_those_that_the_customer_lists() -> None:
    atlas = Atlas(make_records(EDGES))

    assert atlas.is_provider(1, of=2)
    assert not atlas.is_provider(2, of=1)
    assert not atlas.is_provider(1, of=9)


def test_two_of_the_same_records_are_equal() -> None:
    assert Atlas(make_records(EDGES)) == Atlas(make_records(EDGES))
    assert Atlas(make_records(EDGES)) != Atlas(make_records(EDGES, nodes={1: 2}))
    assert Atlas(make_records(EDGES)) != 1
