"""Every party of the table has a seat, and no canary is anything that is there anyway."""

from ipaddress import IPv4Address
from pathlib import Path

from ei.lab.catalogue import find_topology
from ei.runtime.loader import load_service
from ei.scenarios.relay.ground import FIRST, QUINCE, SLOW_EXIT
from ei.scenarios.relay.knowing import TOGETHER, TRANSIT, Target, number_name, seats_of

TARGET = Target(
    "0x000000007f3a91c4",
    "127.58.145.196:80",
    ("a" * 24, "b" * 48),
    ("c" * 24, "d" * 48),
    asked="e" * 24,
    pids=(1,),
    folder=Path("/nowhere"),
)


def test_each_party_of_the_table_is_looked_at_and_no_other() -> None:
    table = load_service("relay").manifest.knows

    for has_namespaces in (True, False):
        assert seats_of(TARGET, has_namespaces=has_namespaces).keys() == table.keys()
    assert {party for pair in TOGETHER for party in pair} <= table.keys()


def test_the_nodes_that_are_looked_at_are_of_three_operators() -> None:
    topology = find_topology("relay")
    domains = [topology.domains[node.partition(".")[2]] for node in (FIRST, TRANSIT, SLOW_EXIT)]

    assert len({domain.operator or domain.name for domain in domains}) == 3
    assert not topology.hosts[QUINCE].aliases


def test_a_target_is_asked_for_by_a_number_that_means_its_address() -> None:
    name = number_name("127.58.145.196")

    assert name == TARGET.name
    assert IPv4Address(int(name, 16)) == IPv4Address("127.58.145.196")
    assert TARGET.port == 80
    assert {canary.fact for canary in TARGET.canaries} == {"target", "target_place", "payload"}
