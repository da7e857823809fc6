"""The graph is like the Internet, the same for the same seed, and its records say the same."""

from ei.routing import Atlas, Relation
from ei.routing.policy import is_mismatch
from ei.scenarios.scale.internet import OFFERED, RARE, make_internet, name_of

UNIX_S = 1_800_000_000


def test_the_same_seed_makes_the_same_internet() -> None:
    one, same, other = (make_internet(60, seed=seed, unix_s=UNIX_S) for seed in (1, 1, 2))

    assert one.edges == same.edges
    assert one.records.nodes == same.records.nodes
    assert one.edges != other.edges


def test_records_and_policies_agree() -> None:
    internet = make_internet(60, seed=1, unix_s=UNIX_S)
    atlas = Atlas(internet.records)

    assert internet.records.refused == ()
    assert len(atlas.domains) == 60
    for number in atlas.domains:
        relations = internet.policy(number).by_number(atlas)
        assert relations
        assert not any(
            is_mismatch(number, other, relation, atlas) for other, relation in relations.items()
        )


def test_most_domains_are_stubs_below_a_few_that_have_no_provider() -> None:
    internet = make_internet(60, seed=1, unix_s=UNIX_S)
    below = {edge.other for edge in internet.transit}
    above = {edge.one for edge in internet.transit}

    assert 1 <= len(above - below) <= 6
    assert len(below - above) > 30
    assert all(edge.relation in (Relation.CUSTOMER, Relation.PEER) for edge in internet.edges)


def test_every_domain_offers_one_service_and_few_the_rare_one() -> None:
    internet = make_internet(60, seed=1, unix_s=UNIX_S)

    offered = {name_of(50): (OFFERED, RARE), name_of(1): (OFFERED,)}

    for record in internet.records.nodes.values():
        name = record.name.partition(".")[2]
        assert record.services == offered.get(name, (OFFERED,))
