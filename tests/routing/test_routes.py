"""What a node believes: in order, damped when it wavers, and with a note of what changed."""

import msgspec
import pytest
from tests.routing.test_table import candidate
from tests.routing.world import node

from ei.routing.announcements import Announcement, Hop, Offer
from ei.routing.damping import HALF_LIFE_S
from ei.routing.policy import Relation
from ei.routing.routes import REPLAY_US, Moved, Routes
from ei.routing.table import Candidate
from ei.routing.verifying import Refused
from ei.sdk.packets import Address

CUSTOMER, PEER = Relation.CUSTOMER, Relation.PEER


def routes_with(*candidates: Candidate, round_trips: dict[Address, float] | None = None) -> Routes:
    routes = Routes((round_trips or {}).get)
    for each in candidates:
        _ = routes.put(each, now_s=0.0)
    return routes


def test_relation_counts_before_length_and_length_before_distance() -> None:
    customer = candidate(5, 2, 3, 4, relation=CUSTOMER)
    peer = candidate(5, 6, relation=PEER)
    short, near, far = candidate(5, 7), candidate(5, 8, 3), candidate(5, 1, 3)
    inside = candidate(5, 9, 3, hop=10, is_inside=True)

    routes = routes_with(
        far, inside, near, short, peer, customer, round_trips={node(8): 0.001, node(1): 0.1}
    )

    assert routes.table.ranked(5) == (customer, peer, short, near, far, inside)


def test_round_trips_that_hardly_differ_leave_the_choice_to_the_number() -> None:
    low, high = candidate(5, 1), candidate(5, 2)

    routes = routes_with(low, high, round_trips={node(1): 0.0105, node(2): 0.0100})

    assert routes.best(5) is low


def test_only_a_new_best_announcement_is_worth_telling() -> None:
    routes = routes_with(candidate(5, 1))

    worse = routes.put(candidate(5, 2, 3), now_s=0.0)
    refreshed = routes.put(candidate(5, 1, sequence=2), now_s=0.0)

    assert worse == Moved(5, is_best_new=False, neighbour=2)
    assert refreshed == Moved(5, is_best_new=True, neighbour=1)


def test_changes_name_the_domain_and_its_services_once() -> None:
    routes = routes_with(candidate(5, 1, offers=(Offer(20),)))

    changes = routes.take_changes()

    assert changes.domains == {5}
    assert changes.services == {20}
    assert routes.take_changes().domains == frozenset()


def test_a_refresh_changes_no_answer_and_another_service_its_own() -> None:
    routes = routes_with(candidate(5, 1, offers=(Offer(20), Offer(21))))
    _ = routes.take_changes()

    _ = routes.put(candidate(5, 1, offers=(Offer(20), Offer(21)), sequence=2), now_s=1.0)
    unchanged = routes.take_changes()
    _ = routes.put(candidate(5, 1, offers=(Offer(20), Offer(22)), sequence=3), now_s=1.0)
    changed = routes.take_changes()

    assert (unchanged.domains, unchanged.services) == (frozenset(), frozenset())
    assert (changed.domains, changed.services) == (frozenset(), {21, 22})


def test_d10_what_is_withdrawn_ten_times_a_second_is_the_last_resort_and_told_to_nobody() -> None:
    wavering, steady = candidate(5, 1), candidate(5, 2, 3)
    routes = routes_with(steady)
    for number in range(10):
        _ = routes.put(wavering, now_s=number / 10)
        _ = list(routes.remove(5, wavering.key, now_s=number / 10, is_flap=True))

    _ = routes.put(wavering, now_s=1.0)

    assert routes.table.ranked(5) == (steady, wavering)
    assert routes.best(5) is steady
    assert routes.direct(5, 1) is None
    moved = routes.reuse(now_s=1.0 + 2 * HALF_LIFE_S)
    assert moved == [Moved(5, is_best_new=True, neighbour=1)]
    assert routes.best(5) is wavering
    assert routes.direct(5, 1) is wavering


def test_d10_when_all_waver_nobody_is_told_of_any() -> None:
    wavering = candidate(5, 1)
    routes = routes_with()
    for number in range(10):
        _ = routes.put(wavering, now_s=number / 10)
        _ = list(routes.remove(5, wavering.key, now_s=number / 10, is_flap=True))

    moved = routes.put(wavering, now_s=1.0)

    assert moved == Moved(5, is_best_new=False, neighbour=1)
    assert routes.best(5) is None
    assert routes.table.ranked(5) == (wavering,)


def test_what_leads_through_a_peer_goes_with_it() -> None:
    routes = routes_with(candidate(5, 1), candidate(6, 1), candidate(6, 2))

    moved = list(routes.remove_hop(node(1), now_s=0.0))

    assert [each.origin for each in moved] == [5, 6]
    assert len(routes.table) == 1


def test_what_is_not_announced_again_ends() -> None:
    routes = routes_with(candidate(5, 1, deadline_s=10.0))

    assert list(routes.expire(now_s=9.0)) == []
    assert list(routes.expire(now_s=10.0)) == [Moved(5, is_best_new=True, neighbour=1)]
    assert list(routes.remove(5, (node(1), 1), now_s=10.0, is_flap=True)) == []


def said(sequence: int, *path: int) -> Announcement:
    hops = tuple(Hop(to, bytes(32), bytes(64)) for to in (*path[::-1], 9))
    return Announcement(origin=5, sequence=sequence, expires_unix_s=1, hops=hops)


def test_d10_an_announcement_from_before_is_replayed() -> None:
    known = candidate(5, 1, sequence=2 * REPLAY_US)
    routes = routes_with(known)

    with pytest.raises(Refused) as same_path:
        routes.check_sequence(said(2 * REPLAY_US - 1, 1), key=known.key, signer=node(5))
    with pytest.raises(Refused) as other_path:
        routes.check_sequence(said(REPLAY_US - 1, 2), key=(node(2), 2), signer=node(5))

    assert {same_path.value.reason, other_path.value.reason} == {"replayed"}


def test_an_announcement_that_took_a_longer_way_is_not() -> None:
    known = candidate(5, 1, sequence=2 * REPLAY_US)
    routes = routes_with(known)

    routes.check_sequence(said(2 * REPLAY_US - 1, 1, 3), key=known.key, signer=node(5))
    routes.check_sequence(said(2 * REPLAY_US - 1, 2), key=(node(2), 2), signer=node(5))
    routes.check_sequence(said(1, 1), key=known.key, signer=node(5, 1))


def test_it_says_what_it_keeps() -> None:
    assert msgspec.structs.asdict(candidate(5, 1))["origin"] == 5
    assert "1 candidates" in repr(routes_with(candidate(5, 1)))
