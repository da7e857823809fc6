"""Route safety (reliability.md, D10): no loop, no valley, and whoever may be reached is."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.routing.world import FAR_UNIX_S, Edge, Internet, node

from ei.routing import Memo, Offer, Relation
from ei.routing.announcements import read_announcement
from ei.routing.messages import Start, Update, read_message, write_message
from ei.routing.policy import find_valley
from ei.sdk.packets import Address

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER
MEMO = Memo(limit=100_000)
SETTLED_S = 12.0
CHAIN = [(1, 2, CUSTOMER), (2, 3, CUSTOMER), (1, 4, CUSTOMER)]


@st.composite
def internets(draw: st.DrawFn) -> list[Edge]:
    """Draw up to 8 domains; a provider has a smaller number than its customers."""
    count = draw(st.integers(3, 8))
    pairs = [(a, b) for b in range(2, count + 1) for a in range(1, b)]
    kinds = draw(
        st.lists(
            st.sampled_from([None, None, CUSTOMER, CUSTOMER, PEER]),
            min_size=len(pairs),
            max_size=len(pairs),
        )
    )
    edges = [(a, b, kind) for (a, b), kind in zip(pairs, kinds, strict=True) if kind is not None]
    return edges or [(1, 2, CUSTOMER)]


def reachable(edges: list[Edge], origin: int) -> set[int]:
    """Return who may hear of an origin at all: by following every allowed walk of its word."""
    steps = [(a, b, relation) for a, b, relation in edges]
    steps += [(b, a, Relation(2 - relation)) for a, b, relation in edges]
    seen = {(origin, True)}
    waiting = [(origin, True)]
    while waiting:
        at, is_rising = waiting.pop()
        for domain, neighbour, relation in steps:
            if domain != at or not (is_rising or relation is CUSTOMER):
                continue
            state = (neighbour, is_rising and relation is PROVIDER)
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return {domain for domain, _ in seen}


def check(internet: Internet, edges: list[Edge]) -> None:
    domains = sorted({domain for a, b, _ in internet.edges for domain in (a, b)})
    for origin in domains:
        allowed = reachable(edges, origin)
        for source in domains:
            if source == origin:
                continue
            walk = internet.walk(source, origin)
            assert (walk[-1] == origin) == (source in allowed), (source, origin, walk)
            if source in allowed:
                assert len(set(walk)) == len(walk)
                assert find_valley(walk[::-1], internet.atlas) is None
                assert walk[1:] == list(internet.path(source, origin) or ())


@pytest.mark.slow
@pytest.mark.timeout(180)
@settings(deadline=None, max_examples=50)
@given(internets())
def test_d10_every_domain_is_reached_that_policy_allows_without_loop_or_valley(
    edges: list[Edge],
) -> None:
    internet = Internet(edges, memo=MEMO)

    internet.run(SETTLED_S)

    check(internet, edges)


@pytest.mark.slow
@pytest.mark.timeout(180)
@settings(deadline=None, max_examples=50)
@given(internets(), st.data())
def test_d10_the_same_holds_after_cuts_and_healing(edges: list[Edge], data: st.DataObject) -> None:
    internet = Internet(edges, memo=MEMO)
    internet.run(SETTLED_S)
    cut = data.draw(st.lists(st.sampled_from(edges), unique=True, max_size=3))

    for a, b, _ in cut:
        internet.cut(node(a), node(b))
    internet.run(SETTLED_S)
    check(internet, [edge for edge in edges if edge not in cut])

    for a, b, _ in cut:
        internet.connect(node(a), node(b))
    internet.run(SETTLED_S)
    check(internet, edges)


@pytest.mark.slow
@pytest.mark.timeout(180)
@settings(deadline=None, max_examples=25)
@given(internets(), st.data())
def test_d10_while_news_travels_a_packet_may_be_lost_but_never_goes_round_for_ever(
    edges: list[Edge], data: st.DataObject
) -> None:
    internet = Internet(edges, memo=MEMO)
    internet.run(SETTLED_S)
    a, b, _ = data.draw(st.sampled_from(edges))
    domains = sorted({domain for x, y, _ in edges for domain in (x, y)})

    internet.cut(node(a), node(b))
    for _ in range(20):
        internet.run(0.02)

        # A packet takes no valley even then: each step is one that was announced to who asks.
        walks = [internet.walk(x, y) for x in domains for y in domains if x != y]
        assert all(find_valley(walk[::-1], internet.atlas) is None for walk in walks)


def test_d10_flapping_ten_times_a_second_does_not_melt_the_others() -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)
    before = internet.messages

    for _ in range(100):
        internet.cut(node(2), node(3))
        internet.run(0.05)
        internet.connect(node(2), node(3))
        internet.run(0.05)
    during = internet.messages - before

    # 200 changes in 10 s; each of the three pipes carries a few messages, not hundreds.
    assert during < 250
    said = internet.router(4).statistics()
    assert said.accepted < 20
    assert internet.path(4, 3) is None


def test_d10_what_has_kept_still_after_flapping_is_used_again_within_a_minute() -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)
    for _ in range(50):
        internet.cut(node(2), node(3))
        internet.run(0.05)
        internet.connect(node(2), node(3))
        internet.run(0.05)

    internet.run(60.0)

    assert internet.path(4, 3) == (1, 2, 3)
    assert internet.router(2).statistics().damped_peers == 0


def test_d10_a_domain_that_withdraws_ten_times_a_second_is_damped_and_others_are_not() -> None:
    internet = Internet([*CHAIN, (1, 5, CUSTOMER)])
    internet.run(SETTLED_S)
    honest = announced(internet, node(2), node(1), origin=3)

    for number in range(100):
        said = {"announced": (honest,)} if number % 2 else {"withdrawn": (3,)}
        update = Update(number, has_more=True, **said)
        internet.inject(node(2), node(1), write_message(update))
        internet.run(0.05)

    assert internet.router(1).statistics().damped_routes == 1
    assert internet.path(5, 3) is None
    assert internet.path(5, 2) == (1, 2)


def announced(internet: Internet, sender: Address, to: Address, *, origin: int) -> bytes:
    """Return what one node announces to another of an origin."""
    heard: list[bytes] = []

    def listen(by: Address, at: Address, message: bytes) -> bytes:
        read = read_message(message)
        if (by, at) == (sender, to) and isinstance(read, Update):
            heard.extend(
                each for each in read.announced if read_announcement(each).origin == origin
            )
        return message

    internet.tamper = listen
    internet.inject(to, sender, write_message(Start()))
    internet.run(5.0)
    internet.tamper = lambda _a, _b, message: message
    return heard[-1]


def test_d10_a_neighbour_that_swallows_packets_is_avoided_by_who_asks_for_it() -> None:
    edges = [(1, 2, CUSTOMER), (1, 3, CUSTOMER), (2, 4, CUSTOMER), (3, 4, CUSTOMER)]
    internet = Internet(edges)
    internet.run(SETTLED_S)
    assert internet.path(1, 4) == (2, 4)

    route = internet.router(1).route_to(4, avoid=[2])

    assert route is not None
    assert route.paths[0] == (3, 4)


def test_d10_a_neighbour_that_says_nothing_more_is_forgotten_within_the_hour() -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)
    internet.tamper = lambda by, _to, message: None if by == node(2) else message

    internet.run(3_700.0)

    assert internet.path(1, 3) is None
    assert internet.path(4, 3) is None


def test_d10_routes_are_refreshed_for_ever() -> None:
    internet = Internet(CHAIN)

    internet.run(8_000.0)

    assert internet.path(4, 3) == (1, 2, 3)
    assert all(not router.statistics().refused for router in internet.routers.values())


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0])
def test_d10_a_wall_clock_that_jumps_by_an_hour_takes_no_route_away(jump_s: float) -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)

    internet.unix_offset_s += jump_s
    internet.run(2_000.0)
    assert internet.path(4, 3) == (1, 2, 3)
    internet.unix_offset_s -= jump_s
    internet.run(6_000.0)

    assert internet.path(4, 3) == (1, 2, 3)


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0])
def test_d10_one_node_whose_clock_jumps_keeps_its_routes_for_half_an_hour(jump_s: float) -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)
    internet.unix_offsets[node(2)] = jump_s

    internet.run(1_800.0)
    assert internet.walk(4, 3) == [4, 1, 2, 3]
    assert internet.walk(3, 4) == [3, 2, 1, 4]
    internet.unix_offsets.clear()
    internet.run(2_500.0)

    assert internet.walk(4, 3) == [4, 1, 2, 3]
    assert internet.walk(3, 4) == [3, 2, 1, 4]


def test_d10_a_lost_message_is_noticed_and_made_good() -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)
    swallowed: list[bytes] = []

    def swallow(by: Address, _to: Address, message: bytes) -> bytes | None:
        if by == node(2) and isinstance(read_message(message), Update):
            swallowed.append(message)
            return None
        return message

    internet.tamper = swallow
    internet.cut(node(2), node(3))
    internet.run(1.0)
    assert swallowed
    internet.tamper = lambda _by, _to, message: message
    internet.connect(node(2), node(3))
    internet.run(5.0)

    assert internet.path(4, 3) == (1, 2, 3)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_d10_whatever_a_peer_sends_is_counted_and_harms_nothing(message: bytes) -> None:
    internet = Internet(CHAIN, memo=MEMO)
    internet.run(SETTLED_S)
    before = internet.router(1).statistics()

    internet.inject(node(2), node(1), message)
    internet.inject(node(3), node(1), message)

    after = internet.router(1).statistics()
    assert after.received_messages == before.received_messages + 2
    assert sum(after.refused.values()) > sum(before.refused.values())
    assert internet.path(1, 3) == (2, 3)


def test_d10_services_of_a_domain_that_is_gone_are_found_elsewhere() -> None:
    services = {3: (Offer(20),), 4: (Offer(20),)}
    internet = Internet([*CHAIN, (2, 5, CUSTOMER)], services=services)
    internet.run(SETTLED_S)
    near = internet.router(5).service_route(20)
    assert near is not None
    assert near.domain == 3

    internet.cut(node(2), node(3))
    internet.run(1.0)

    far = internet.router(5).service_route(20)
    assert far is not None
    assert far.domain == 4


def test_walks_of_the_tests_go_along_edges() -> None:
    internet = Internet(CHAIN)
    internet.run(SETTLED_S)

    walk = internet.walk(4, 3)

    assert all({a, b} in [{x, y} for x, y, _ in CHAIN] for a, b in pairwise(walk))
    assert internet.unix_s < FAR_UNIX_S
