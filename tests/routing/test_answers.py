"""Those candidates lead on that are allowed to, other neighbours before other nodes."""

import pytest
from tests.routing.test_table import candidate
from tests.routing.world import node

from ei.routing.announcements import Offer, Version
from ei.routing.answers import MAX_HOPS, Wanted, by_nearness, choose, is_version, route_of
from ei.routing.policy import Relation

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER


def test_backups_go_through_other_neighbours_first() -> None:
    ranked = [candidate(5, 1), candidate(5, 1, hop=11), candidate(5, 2), candidate(5, 2, 3)]

    route = choose(5, ranked, Wanted())

    assert route is not None
    assert route.hops == (node(1), node(2), node(11))
    assert route.paths == ((1, 5), (2, 5), (1, 5))


def test_a_node_that_knows_several_ways_is_one_hop() -> None:
    ranked = [
        candidate(5, 1, hop=9, is_inside=True),
        candidate(5, 2, hop=9, is_inside=True),
        candidate(5, 2, hop=10, is_inside=True),
    ]

    route = choose(5, ranked, Wanted())

    assert route is not None
    assert route.hops == (node(9), node(10))


def test_no_more_hops_are_named_than_anybody_needs() -> None:
    ranked = [candidate(5, number) for number in range(6, 30)]

    route = choose(5, ranked, Wanted())

    assert route is not None
    assert len(route.hops) == len(route.paths) == MAX_HOPS
    assert route_of(5, []) is None


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        (Wanted(avoid=frozenset({1})), [(2, 3, 5)]),
        (Wanted(avoid=frozenset({5})), []),
        (Wanted(require=frozenset({3})), [(2, 3, 5)]),
        (Wanted(require=frozenset({1, 3})), []),
        (Wanted(came_from=(7, CUSTOMER)), [(1, 5), (2, 3, 5)]),
        (Wanted(came_from=(7, PEER)), [(2, 3, 5)]),
        (Wanted(came_from=(3, CUSTOMER)), [(1, 5)]),
    ],
)
def test_only_what_is_allowed_leads_on(wanted: Wanted, paths: list[tuple[int, ...]]) -> None:
    ranked = [candidate(5, 1, relation=PROVIDER), candidate(5, 2, 3, relation=CUSTOMER)]

    route = choose(5, ranked, wanted)

    assert (list(route.paths) if route else []) == paths


@pytest.mark.parametrize(
    ("wanted", "does"),
    [
        (None, True),
        ((1, 2, 3), True),
        ((1, 0, 9), True),
        ((1, 2, 4), False),
        ((0, 9, 0), False),
        ((2, 0, 0), False),
    ],
)
def test_a_version_does_what_an_older_one_of_its_major_does(
    wanted: Version | None,
    does: bool,  # noqa: FBT001 a column of the table
) -> None:
    assert is_version([Offer(20, 1, 2, 3)], 20, wanted) is does
    assert not is_version([Offer(20, 1, 2, 3)], 21, wanted)


def test_peers_that_are_up_come_first_and_the_nearest_of_them() -> None:
    round_trips = {node(1): 0.2, node(2): 0.1}
    down = sorted([node(3), node(4)])

    ordered = by_nearness([node(1), node(4), node(2), node(3)], round_trips.get)

    assert ordered == [node(2), node(1), *down]
