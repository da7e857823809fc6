"""What the trees of a group come to in a small internet of nodes, whatever pipes are down."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei.scenarios.multicast.crowd import Internet, Place
from ei.sdk import Address
from ei.services.multicast.trees import rank

DOMAINS, NODES, HOSTS = 3, 3, 2
PLACES = st.builds(
    Place,
    st.integers(1, DOMAINS),
    st.integers(0, NODES - 1),
    st.integers(0, HOSTS - 1),
)
ALL_NODES = [Place(d, n, 0).at for d, n in product(range(1, DOMAINS + 1), range(NODES))]
PIPES = st.sets(st.sampled_from(ALL_NODES), min_size=2, max_size=2).map(frozenset)


def internet(
    sender: Place, members: set[Place], cut: frozenset[frozenset[Address]] = frozenset()
) -> Internet:
    """An internet in which the members have just joined."""
    made = Internet(sender, domains=DOMAINS, nodes=NODES, cut=cut)
    for place in sorted(members, key=lambda place: place.address):
        made.join(place)
    return made


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(members=st.sets(PLACES), sender=PLACES)
def test_every_member_gets_one_copy_and_one_crosses_into_each_domain(
    members: set[Place], sender: Place
) -> None:
    world = internet(sender, members)
    world.settle(for_s=2)

    world.send()

    assert world.got() == {place.address for place in members - {sender}}
    assert set(world.copies.values()) <= {1}
    abroad = {place.domain for place in members} - {sender.domain}
    assert sorted(world.crossings()) == sorted((sender.domain, domain) for domain in abroad)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(members=st.sets(PLACES, min_size=1), sender=PLACES, cut=st.sets(PIPES, max_size=20))
def test_whatever_pipes_are_down_no_pipe_carries_two_copies_and_no_member_gets_two(
    members: set[Place], sender: Place, cut: set[frozenset[Address]]
) -> None:
    world = internet(sender, members, frozenset(cut))
    world.settle(for_s=25)

    world.send()

    assert set(world.copies.values()) <= {1}
    received = [to for _, to in world.copies if to not in world.environments]
    assert len(received) == len(set(received))
    assert set(received) <= {place.address for place in members}


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(members=st.sets(PLACES, min_size=1), sender=PLACES, dead=st.sampled_from(ALL_NODES))
def test_when_a_node_dies_the_members_of_the_others_are_reached_within_a_second(
    members: set[Place], sender: Place, dead: Address
) -> None:
    world = internet(sender, members)
    world.settle(for_s=2)
    if dead == sender.at:
        return

    world.kill(dead)
    world.settle(for_s=1)
    world.send()

    assert world.got() == {place.address for place in members - {sender} if place.at != dead}
    assert set(world.copies.values()) <= {1}


def test_all_agree_who_brings_a_tree_in_and_trees_spread() -> None:
    firsts = {
        max(ALL_NODES[:3], key=lambda node: rank(bytes([tree]) * 32, node)) for tree in range(40)
    }

    assert firsts == set(ALL_NODES[:3])
