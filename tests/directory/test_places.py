"""A node asks its own domain's directories, and only those ask abroad."""

from tests.directory.net import World

from ei.directory import Addressed, Attached, Named
from ei.directory.places import UNNAMED_DIRECTORIES, Places

WORLD = World(domains=2, nodes=3, directories=2)
NAMES = WORLD.names


def places(node: str) -> Places:
    return Places(NAMES[node], WORLD.records(node.partition(".")[2]))


def test_a_node_asks_the_directories_of_its_domain_whatever_it_asks() -> None:
    asker = places("sn3.isp-a")

    for query in (Named("bob.isp-b"), Named("alice.isp-a"), Attached(NAMES["sn1.isp-b"])):
        assert asker.asked_about(query) == (NAMES["sn1.isp-a"], NAMES["sn2.isp-a"])
    assert not asker.is_directory


def test_a_directory_asks_those_of_the_home_domain() -> None:
    asker = places("sn2.isp-a")

    assert asker.asked_about(Named("bob.isp-b")) == (NAMES["sn1.isp-b"], NAMES["sn2.isp-b"])
    assert asker.asked_about(Named("al.isp-a")) == (NAMES["sn1.isp-a"],)
    assert asker.answers(Named("al.isp-a"))
    assert not asker.answers(Named("bob.isp-b"))
    assert asker.is_sibling(NAMES["sn1.isp-a"])
    assert not asker.is_sibling(NAMES["sn3.isp-a"])


def test_of_a_domain_without_a_record_nobody_is_asked() -> None:
    asker = places("sn1.isp-a")

    for query in (Named("bob.isp-z"), Named("bob"), Addressed(bytes(16))):
        assert asker.home_of(query) is None
        assert asker.asked_about(query) == ()


def test_in_a_domain_that_names_no_directories_its_first_nodes_are() -> None:
    world = World(domains=1, nodes=12, directories=0)
    records = world.records("isp-a")

    chosen = [Places(address, records).is_directory for address in sorted(world.names.values())]

    assert chosen == [True] * UNNAMED_DIRECTORIES + [False] * 9
