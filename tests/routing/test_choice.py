"""Where nothing was announced, the pipes to a domain's own nodes lead there."""

from tests.routing.test_table import candidate
from tests.routing.world import make_records, node

from ei.routing.announcements import Offer
from ei.routing.answers import Wanted
from ei.routing.atlas import Atlas
from ei.routing.choice import Choice
from ei.routing.policy import Relation
from ei.routing.routes import Routes
from ei.routing.sessions import Session
from ei.sdk.packets import Address

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER
EDGES = [(1, 2, PEER), (1, 3, CUSTOMER), (2, 4, CUSTOMER)]
SERVICES = {1: (20,), 2: (21,), 3: (22,), 4: (23,)}
ATLAS = Atlas(make_records(EDGES, nodes={1: 3, 3: 2}, services=SERVICES))


def choice(
    relations: dict[int, Relation] | None,
    *,
    up: dict[Address, float] | None = None,
    routes: Routes | None = None,
    sessions: dict[Address, Session] | None = None,
) -> Choice:
    return Choice(
        own=1,
        address=node(1),
        atlas=ATLAS,
        relations=relations,
        routes=Routes((up or {}).get) if routes is None else routes,
        up=up or {},
        sessions=sessions or {},
    )


def test_a_neighbour_is_reached_before_it_has_announced_itself() -> None:
    chosen = choice({3: CUSTOMER, 2: PEER}, up={node(3, 1): 0.1})

    route = chosen.to_domain(3, Wanted())

    assert route is not None
    assert route.hops == (node(3, 1),)
    assert chosen.to_domain(2, Wanted()) is None
    assert chosen.to_domain(4, Wanted()) is None


def test_a_neighbour_is_not_reached_directly_by_whom_that_was_not_announced_to() -> None:
    chosen = choice({3: CUSTOMER, 2: PEER, 4: PROVIDER}, up={node(2): 0.1, node(3): 0.1})

    assert chosen.to_domain(2, chosen.wanted((), (), 4)) is None
    assert chosen.to_domain(2, chosen.wanted((), (), 3)) is not None
    assert chosen.to_domain(3, chosen.wanted((), (), 4)) is not None
    assert chosen.to_domain(2, chosen.wanted([2], (), 0)) is None


def test_the_own_domain_is_its_other_nodes() -> None:
    chosen = choice({}, up={node(1, 2): 0.1})

    route = chosen.to_domain(1, Wanted())

    assert route is not None
    assert route.hops == (node(1, 2), node(1, 1))
    assert route.paths == ((), ())
    assert chosen.to_domain(1, Wanted(avoid=frozenset({1}))) is None
    assert chosen.to_domain(1, Wanted(require=frozenset({2}))) is None


def test_a_service_of_the_own_domain_is_the_nearest() -> None:
    chosen = choice(None)

    route = chosen.to_service(20, None, Wanted())

    assert route is not None
    assert route.domain == 1
    assert set(route.hops) == {node(1, 1), node(1, 2)}


def test_what_a_node_of_the_own_domain_tells_of_its_services_counts_before_its_record() -> None:
    session = Session(node(1, 1), 1, None, offers=(Offer(24, 1, 0, 0),))
    chosen = choice({}, sessions={node(1, 1): session})

    new = chosen.to_service(24, (1, 0, 0), Wanted())
    old = chosen.to_service(20, None, Wanted())

    assert new is not None
    assert new.hops == (node(1, 1),)
    assert old is not None
    assert old.hops == (node(1, 2),)
    assert chosen.to_service(20, (1, 0, 0), Wanted()) is None


def test_without_a_policy_the_nearest_domain_that_is_up_serves() -> None:
    atlas = Atlas(make_records(EDGES, services={2: (21,), 3: (21,), 4: (21,)}))
    chosen = Choice(
        own=1,
        address=node(1),
        atlas=atlas,
        relations=None,
        routes=Routes({}.get),
        up={node(3): 0.1},
        sessions={},
    )

    route = chosen.to_service(21, None, Wanted())

    assert route is not None
    assert route.domain == 3


def test_what_was_announced_counts_before_what_records_say() -> None:
    routes = Routes({}.get)
    for each in (
        candidate(4, 2, offers=(Offer(30, 1, 0, 0),), relation=PEER),
        candidate(3, offers=(Offer(30, 1, 2, 0),), relation=CUSTOMER),
    ):
        _ = routes.put(each, now_s=0.0)
    chosen = choice({3: CUSTOMER, 2: PEER}, up={node(2): 0.1, node(3): 0.1}, routes=routes)

    nearest = chosen.to_service(30, None, Wanted())
    farther = chosen.to_service(30, (1, 0, 0), Wanted(avoid=frozenset({3})))

    assert nearest is not None
    assert nearest.domain == 3
    assert farther is not None
    assert farther.domain == 4
    assert chosen.to_service(22, None, Wanted()) is None
    assert chosen.to_service(21, None, Wanted()) is not None
    assert chosen.to_service(21, (1, 0, 0), Wanted()) is None
