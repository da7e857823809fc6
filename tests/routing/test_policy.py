"""Who is whose customer decides what is announced, and what no honest path can look like."""

from itertools import product

import pytest
from tests.routing.world import make_records

from ei.routing.atlas import Atlas
from ei.routing.policy import (
    Policy,
    Relation,
    find_valley,
    is_mismatch,
    may_announce,
    read_policy,
)

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER
ATLAS = Atlas(make_records([(1, 2, PEER), (1, 3, CUSTOMER), (2, 4, CUSTOMER), (3, 5, CUSTOMER)]))


@pytest.mark.parametrize(
    ("walk", "valley"),
    [
        ((5, 3, 1, 2, 4), None),
        ((1, 3, 5), None),
        ((5, 3, 1), None),
        ((1, 2), None),
        ((3, 1, 2, 1), (2, 1)),
        ((1, 3, 1), (3, 1)),
        ((4, 2, 1, 3, 4), (3, 4)),
        ((2, 1, 3, 1), (3, 1)),
        ((3, 4, 5), (4, 5)),
    ],
)
def test_d10_a_path_goes_up_once_across_and_down(
    walk: tuple[int, ...], valley: tuple[int, int] | None
) -> None:
    assert find_valley(walk, ATLAS) == valley


def test_what_customers_announce_goes_to_all_and_the_rest_to_customers() -> None:
    told = {
        (learned, to)
        for learned, to in product((None, CUSTOMER, PEER, PROVIDER), Relation)
        if may_announce(learned, to)
    }

    assert told == {
        *product((None, CUSTOMER), Relation),
        *product((PEER, PROVIDER), (CUSTOMER,)),
    }


@pytest.mark.parametrize(
    ("own", "neighbour", "relation"),
    [(1, 2, PEER), (1, 3, CUSTOMER), (3, 1, PROVIDER), (3, 4, PEER)],
)
def test_a_policy_must_agree_with_the_records(own: int, neighbour: int, relation: Relation) -> None:
    agreeing = {each for each in Relation if not is_mismatch(own, neighbour, each, ATLAS)}

    assert agreeing == {relation}


def test_a_policy_is_read_as_the_configuration_says_it() -> None:
    policy = read_policy({"d2": "peer", "d3": "customer", "d9": "provider"})

    assert policy == Policy({"d2": PEER, "d3": CUSTOMER, "d9": PROVIDER})
    assert policy.by_number(ATLAS) == {2: PEER, 3: CUSTOMER}
    assert [relation.word for relation in Relation] == ["customer", "peer", "provider"]
