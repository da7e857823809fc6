"""What a router says of itself names domains and nodes, and gives a reason for each way."""

from tests.routing.test_hearing import told
from tests.routing.test_table import candidate
from tests.routing.world import make_records, node

from ei.routing.announcements import Offer, read_announcement
from ei.routing.atlas import Atlas
from ei.routing.choice import Choice
from ei.routing.hearing import HearingStatistics
from ei.routing.policy import Relation
from ei.routing.refusals import Refusals
from ei.routing.routes import Routes
from ei.routing.speech import SpeechStatistics
from ei.routing.table import Candidate
from ei.routing.views import OfferRow, RoutingStatistics, explain, list_routes

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER
EDGES = [(1, 2, PEER), (1, 3, CUSTOMER), (1, 4, PEER), (2, 5, CUSTOMER)]
ATLAS = Atlas(make_records(EDGES, nodes={1: 2}))


def world(*candidates: Candidate) -> tuple[Choice, Routes]:
    routes = Routes({}.get)
    for each in candidates:
        _ = routes.put(each, now_s=0.0)
    choice = Choice(
        own=1,
        address=node(1),
        atlas=ATLAS,
        relations={2: PEER, 3: CUSTOMER, 4: PEER},
        routes=routes,
        up={node(2): 0.1, node(4): 0.1},
        sessions={},
    )
    return choice, routes


def test_a_row_for_each_domain_that_is_reached() -> None:
    choice, routes = world(
        candidate(5, 2, offers=(Offer(20, 1, 0, 0),), relation=PEER),
        candidate(5, 4, relation=PEER),
    )

    rows = list_routes(choice, routes, ATLAS)

    assert [(row.domain, row.path, row.hop, row.backups, row.relation) for row in rows] == [
        ("d2", ("d2",), "sn0.d2", (), "peer"),
        ("d4", ("d4",), "sn0.d4", (), "peer"),
        ("d5", ("d2", "d5"), "sn0.d2", ("sn0.d4",), "peer"),
    ]
    assert rows[-1].services == (OfferRow(20, "1.0.0"),)


def test_each_way_has_its_reason() -> None:
    choice, routes = world(
        candidate(5, 3, relation=CUSTOMER),
        candidate(5, 3, 9, hop=4, relation=CUSTOMER),
        candidate(5, 2, relation=PEER),
        candidate(5, 3, hop=6, relation=CUSTOMER),
        candidate(5, 3, hop=1, is_inside=True, relation=CUSTOMER),
    )

    why = explain(5, choice, routes, Refusals(), ATLAS)

    assert {way.use for way in why.ways} == {
        "used",
        "backup: farther away, or of a higher number",
        "backup: the own pipe is preferred to another node of the domain",
        "backup: the path is longer by 1",
        "backup: a customer is preferred to a peer",
    }
    assert why.domain == "d5"


def test_a_way_that_wavers_says_so() -> None:
    choice, routes = world()
    for number in range(10):
        for each in (candidate(5, 2, relation=PEER), candidate(5, 4, relation=PEER)):
            _ = routes.put(each, now_s=number / 10)
            _ = list(routes.remove(5, each.key, now_s=number / 10, is_flap=True))
    for each in (candidate(5, 2, relation=PEER), candidate(5, 4, relation=PEER)):
        _ = routes.put(each, now_s=1.0)

    why = explain(5, choice, routes, Refusals(), ATLAS)

    assert [way.use for way in why.ways] == [
        "used, though it came and went too often",
        "last resort: it came and went too often",
    ]


def test_what_was_refused_lately_is_told_with_its_reason() -> None:
    choice, routes = world()
    refusals = Refusals()

    said = read_announcement(told(5, 2, 1))
    refusals.note(node(2), "route_leak", "d5 gave it to d2", said, unix_s=7.0)

    why = explain(5, choice, routes, refusals, ATLAS)

    assert why.ways == ()
    (row,) = why.refused
    assert (row.sender, row.path, row.reason) == ("sn0.d2", ("d2", "d5"), "route_leak")


def test_a_neighbour_without_an_announcement_is_reached_directly() -> None:
    choice, routes = world()

    assert explain(4, choice, routes, Refusals(), ATLAS).direct == ("sn0.d4",)
    assert explain(1, choice, routes, Refusals(), ATLAS).direct == ()


def test_counts_of_the_parts_come_together() -> None:
    _, routes = world(candidate(5, 2))

    now = RoutingStatistics(sent_messages=3).now(
        hearing=HearingStatistics(1, 2, 3),
        speech=SpeechStatistics(4, 5, 6),
        refused={"loop": 1},
        routes=routes,
        damped_peers=0,
    )

    assert (now.sent_messages, now.accepted, now.verified, now.verified_before) == (3, 1, 2, 3)
    assert (now.announced, now.withdrawn, now.signed) == (4, 5, 6)
    assert (now.routes, now.origins, now.refused) == (1, 1, {"loop": 1})
