"""Routes follow policy, break at nothing forged, and stand ready before they are needed."""

import pytest
from tests.routing.world import Internet, node

from ei.routing import Atlas, Offer, Policy, Relation, Router, Version

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER

#      1 ──── 2        peers
#    / | \  / |
#   3  4   5  7        customers of those above; 5 has two providers
#          |
#          6
EDGES = [
    (1, 2, PEER),
    (1, 3, CUSTOMER),
    (1, 4, CUSTOMER),
    (1, 5, CUSTOMER),
    (2, 5, CUSTOMER),
    (2, 7, CUSTOMER),
    (5, 6, CUSTOMER),
]
SETTLED_S = 3.0


def settled(**options: object) -> Internet:
    internet = Internet(EDGES, **options)  # type: ignore[arg-type]
    internet.run(SETTLED_S)
    return internet


def test_every_domain_reaches_every_other_one() -> None:
    internet = settled()

    walks = {(a, b): internet.walk(a, b)[-1] for a in range(1, 8) for b in range(1, 8)}

    assert all(end == to for (_, to), end in walks.items())


def test_a_customer_is_preferred_to_a_peer_and_a_peer_to_a_provider() -> None:
    internet = settled()

    assert internet.path(2, 6) == (5, 6)
    assert internet.path(2, 3) == (1, 3)
    assert internet.path(5, 3) == (1, 3)
    assert internet.path(3, 6) == (1, 5, 6)


def test_a_customer_carries_nothing_between_its_providers() -> None:
    internet = settled()

    internet.cut(node(1), node(2))
    internet.run(SETTLED_S)

    assert internet.path(1, 2) is None
    assert internet.path(1, 7) is None
    assert internet.path(5, 7) == (2, 7)


def test_d10_a_backup_takes_over_at_once_when_a_pipe_goes_down() -> None:
    internet = settled()
    route = internet.router(5).route_to(3)
    assert route is not None
    assert route.hops == (node(1), node(2))

    internet.cut(node(5), node(1))

    assert internet.path(5, 3) == (2, 1, 3)
    assert 3 in internet.router(5).take_changes().domains


def test_d10_traffic_is_back_within_a_second_after_a_peering_was_cut() -> None:
    internet = settled()

    internet.cut(node(5), node(1))
    internet.run(1.0)

    assert internet.walk(3, 6) == [3, 1, 2, 5, 6]
    assert internet.walk(6, 3) == [6, 5, 2, 1, 3]


def test_a_peering_that_is_healed_is_used_again() -> None:
    internet = settled()
    internet.cut(node(5), node(1))
    internet.run(1.0)

    internet.connect(node(5), node(1))
    internet.run(SETTLED_S)

    assert internet.walk(3, 6) == [3, 1, 5, 6]


def test_a_service_is_reached_in_the_nearest_domain_that_offers_it() -> None:
    internet = settled(services={3: (Offer(20, 1, 0, 0),), 7: (Offer(20, 1, 2, 0),)})

    nearest = {domain: internet.router(domain).service_route(20) for domain in (1, 4, 5, 6)}

    assert {domain: route and route.domain for domain, route in nearest.items()} == {
        1: 3,
        4: 3,
        5: 3,
        6: 3,
    }
    assert internet.router(2).service_route(20) == internet.router(2).route_to(7)
    assert internet.router(2).service_route(21) is None


@pytest.mark.parametrize(
    ("version", "domain"), [((1, 0, 0), 3), ((1, 1, 0), 7), ((1, 3, 0), None), ((2, 0, 0), None)]
)
def test_a_service_is_wanted_in_a_version_that_will_do(
    version: Version, domain: int | None
) -> None:
    internet = settled(services={3: (Offer(20, 1, 0, 0),), 7: (Offer(20, 1, 2, 0),)})

    route = internet.router(1).service_route(20, version=version)

    assert (None if route is None else route.domain) == domain


def test_who_asks_may_avoid_and_require_domains() -> None:
    internet = settled()
    router = internet.router(5)

    through_2 = router.route_to(3, avoid=[1])
    required = router.route_to(3, require=[2])

    assert through_2 is None
    assert required is not None
    assert required.paths == ((2, 1, 3),)
    assert router.route_to(3, require=[9]) is None


def test_a_packet_is_led_only_where_its_sender_was_told() -> None:
    internet = settled()

    assert internet.router(1).route_to(7, came_from=3) is not None
    assert internet.router(1).route_to(3, came_from=2) is not None
    assert internet.router(5).route_to(1, came_from=2) is None


def test_without_a_policy_the_nodes_of_every_domain_lead_there() -> None:
    internet = Internet(EDGES, nodes={3: 2}, services={3: (Offer(20),)}, pipes=[])
    router = internet.router(6)

    _ = router.update(internet.atlas, None, now_s=0.0, unix_s=0.0)
    _ = router.peer_changed(node(3, 1), is_up=True, now_s=0.0, round_trip_s=0.01)

    route = router.route_to(3)
    assert route is not None
    assert route.hops == (node(3, 1), node(3, 0))
    assert route.paths == ((3,), (3,))
    assert router.service_route(20) == route
    assert router.poll(now_s=1.0, unix_s=1.0) == []
    assert router.table()[0].relation is None


def test_nodes_of_one_domain_tell_one_another_what_their_neighbours_announce() -> None:
    internet = Internet(
        EDGES,
        nodes={5: 3},
        services={6: (Offer(20),)},
        pipes=[
            *(((a, 0), (b, 0)) for a, b, _ in EDGES if 5 not in (a, b)),
            ((1, 0), (5, 1)),
            ((2, 0), (5, 2)),
            ((5, 0), (6, 0)),
            ((5, 0), (5, 1)),
            ((5, 0), (5, 2)),
            ((5, 1), (5, 2)),
        ],
    )

    internet.run(SETTLED_S)

    assert internet.walk(6, 3) == [6, 5, 1, 3]
    assert internet.walk(3, 6) == [3, 1, 5, 6]
    inner = internet.router(5)
    route = inner.route_to(3)
    assert route is not None
    assert route.hops == (node(5, 1), node(5, 2))
    assert inner.service_route(20) == inner.route_to(6)


def test_d10_within_a_domain_a_lost_border_node_is_replaced_at_once() -> None:
    internet = Internet(
        EDGES,
        nodes={5: 2},
        pipes=[
            *(((a, 0), (b, 0)) for a, b, _ in EDGES),
            ((2, 0), (5, 1)),
            ((5, 0), (5, 1)),
        ],
    )
    internet.run(SETTLED_S)

    internet.cut(node(5, 1), node(5, 0))

    route = internet.router(5, 1).route_to(3)
    assert route is not None
    assert route.hops == (node(2),)


def test_the_services_of_a_domain_are_those_of_all_its_nodes() -> None:
    internet = Internet(EDGES, nodes={3: 2}, services={3: (Offer(20, 1, 0, 0),)})
    internet.router(3, 1).set_offers([Offer(21, 2, 0, 0)], now_s=internet.now_s)

    internet.run(SETTLED_S)

    for service in (20, 21):
        route = internet.router(6).service_route(service)
        assert route is not None
        assert route.domain == 3
    own = internet.router(3, 0).service_route(21)
    assert own is not None
    assert own.domain == 3
    assert own.hops == (node(3, 1),)


def test_d10_a_neighbour_that_the_records_contradict_is_not_believed() -> None:
    internet = Internet(EDGES)
    router = internet.router(2)
    wrong = Policy({"d1": CUSTOMER, "d5": CUSTOMER, "d7": CUSTOMER})
    _ = router.update(internet.atlas, wrong, now_s=internet.now_s, unix_s=internet.unix_s)

    internet.run(SETTLED_S)

    assert internet.path(2, 3) is None
    assert router.statistics().refused["relation_mismatch"] > 0


def test_what_the_records_no_longer_bear_out_is_forgotten() -> None:
    internet = settled()
    fewer = [edge for edge in EDGES if 6 not in edge]
    atlas = Atlas(Internet(fewer).records)

    _ = internet.router(1).update(
        atlas,
        Policy({"d3": CUSTOMER, "d5": CUSTOMER}),
        now_s=internet.now_s,
        unix_s=internet.unix_s,
    )

    assert internet.path(1, 6) is None
    assert internet.path(1, 5) == (5,)
    assert internet.router(1).statistics().refused["unknown_domain"] == 1


def test_the_table_and_the_reasons_name_every_way() -> None:
    internet = settled()
    router = internet.router(5)

    rows = {row.number: row for row in router.table()}
    why = router.why(3)

    assert rows[3].path == ("d1", "d3")
    assert rows[3].backups == ("sn0.d2",)
    assert rows[3].relation == "provider"
    assert [way.use for way in why.ways] == ["used", "backup: the path is longer by 1"]
    assert repr(router).startswith("<Router of sn0.d5: 3 sessions")


def test_a_peer_that_leaves_is_replaced_before_it_is_gone() -> None:
    internet = settled()
    router = internet.router(5)

    router.peer_leaves(node(1), now_s=internet.now_s)
    router.peer_leaves(node(99), now_s=internet.now_s)

    assert internet.path(5, 3) == (2, 1, 3)
    assert 3 in router.take_changes().domains
    internet.cut(node(5), node(1))
    internet.connect(node(5), node(1))
    internet.run(SETTLED_S)
    assert internet.path(5, 3) == (1, 3)


def test_without_a_policy_too_a_node_that_leaves_comes_last() -> None:
    internet = Internet(EDGES, nodes={3: 2}, pipes=[])
    router = internet.router(6)
    _ = router.update(internet.atlas, None, now_s=0.0, unix_s=0.0)
    for place in (0, 1):
        _ = router.peer_changed(node(3, place), is_up=True, now_s=0.0)
    first = router.route_to(3)
    assert first is not None

    router.peer_leaves(first.hops[0], now_s=0.0)

    second = router.route_to(3)
    assert second is not None
    assert second.hops == first.hops[::-1]


def test_a_shorter_round_trip_that_is_measured_later_counts() -> None:
    internet = Internet([(1, 2, CUSTOMER), (1, 3, CUSTOMER), (2, 4, CUSTOMER), (3, 4, CUSTOMER)])
    internet.run(SETTLED_S)
    assert internet.path(4, 1) == (2, 1)

    router = internet.router(4)
    router.measured({node(2): 0.1, node(3): 0.01, node(99): 0.001}, now_s=internet.now_s)
    assert internet.path(4, 1) == (3, 1)
    router.measured({node(2): 0.08, node(3): 0.015}, now_s=internet.now_s)

    assert internet.path(4, 1) == (3, 1)
    assert 99 not in router.take_changes().domains


def test_what_could_not_be_sent_is_told_again() -> None:
    internet = settled()
    before = internet.router(5).statistics().announced

    internet.router(5).not_sent(node(1), now_s=internet.now_s)
    internet.router(5).not_sent(node(99), now_s=internet.now_s)
    internet.run(6.0)

    assert internet.router(5).statistics().announced > before
    assert internet.path(1, 6) == (5, 6)


def test_a_host_is_no_peer_of_routing() -> None:
    router: Router = Internet(EDGES).router(6)

    assert router.peer_changed(node(99), is_up=True, now_s=0.0) == []
