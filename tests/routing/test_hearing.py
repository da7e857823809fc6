"""What peers say is believed as far as it holds, and what they no longer say is forgotten."""

from itertools import pairwise

from tests.routing.world import make_records, node, node_keys

from ei.routing.announcements import Announcement, Offer, Signer, read_announcement
from ei.routing.atlas import Atlas
from ei.routing.damping import Damping
from ei.routing.hearing import Hearing
from ei.routing.memo import Memo
from ei.routing.messages import Heard, Inside, Lost, Update
from ei.routing.policy import Relation
from ei.routing.refusals import Refusals
from ei.routing.routes import Routes
from ei.routing.sessions import Session
from ei.sdk.packets import Address

CUSTOMER, PEER = Relation.CUSTOMER, Relation.PEER
EDGES = [(1, 2, PEER), (2, 3, CUSTOMER), (2, 4, CUSTOMER)]
UNIX_S = 1_000.0


class Listener:
    """The ears of domain 1, and one neighbour, 2."""

    def __init__(self) -> None:
        self.routes = Routes({}.get)
        self.refusals = Refusals()
        self.damping = Damping[Address](limit=10)
        self.hearing = Hearing(1, self.routes, self.refusals, self.damping, memo=Memo(limit=100))
        self.hearing.use(Atlas(make_records(EDGES)))
        self.neighbour = Session(node(2), 2, PEER)
        self.mate = Session(node(1, 1), 1, None)

    def hear(self, update: Update, *, unix_s: float = UNIX_S) -> list[int]:
        moved = self.hearing.take_update(self.neighbour, update, now_s=0.0, unix_s=unix_s)
        return [each.origin for each in moved]

    def hear_inside(self, inside: Inside) -> list[int]:
        moved = self.hearing.take_inside(self.mate, inside, now_s=0.0, unix_s=UNIX_S)
        return [each.origin for each in moved]

    @property
    def origins(self) -> set[int]:
        return set(self.routes.table.origins)


def told(*walk: int, sequence: int = 1, expires_unix_s: int = 2_000) -> bytes:
    said = Announcement(origin=walk[0], sequence=sequence, expires_unix_s=expires_unix_s)
    announced = b""
    for by, to in pairwise(walk):
        announced = Signer(node_keys(by)).extend(said, said.digests()[-1], to=to)
        said = read_announcement(announced)
    return announced


def test_what_holds_is_believed() -> None:
    ears = Listener()

    moved = ears.hear(Update(0, announced=(told(2, 1), told(3, 2, 1))))

    assert moved == [2, 3]
    assert ears.origins == {2, 3}
    assert ears.hearing.statistics.accepted == 2
    assert ears.hearing.statistics.verified == 3


def test_the_same_again_is_no_news() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(2, 1),)))

    assert ears.hear(Update(1, announced=(told(2, 1),))) == []
    assert ears.hearing.statistics.accepted == 1


def test_d10_one_bad_announcement_harms_no_other() -> None:
    ears = Listener()

    _ = ears.hear(Update(0, announced=(b"junk", told(4, 3, 1), told(3, 2, 1))))

    assert ears.origins == {3}
    assert ears.refusals.counts == {"malformed": 1, "wrong_sender": 1}


def test_who_says_something_bad_no_longer_stands_by_what_it_said_before() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(3, 2, 1),)))

    moved = ears.hear(Update(1, announced=(told(3, 2, 4),)))

    assert moved == [3]
    assert ears.origins == set()
    assert ears.refusals.counts == {"not_for_us": 1}


def test_d10_a_clock_that_jumps_takes_no_route_away() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(3, 2, 1),)))
    newer = told(3, 2, 1, sequence=2, expires_unix_s=2_100)

    _ = ears.hear(Update(1, announced=(newer,)), unix_s=UNIX_S + 3_600)
    _ = ears.hear(Update(2, announced=(newer,)), unix_s=UNIX_S - 3_600)

    assert ears.origins == {3}
    assert ears.refusals.counts == {"expired": 1, "lives_too_long": 1}


def test_d10_what_is_replayed_leaves_what_is_known() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(3, 2, 1, sequence=5),)))

    _ = ears.hear(Update(1, announced=(told(3, 2, 1, sequence=4),)))

    assert ears.routes.table.ranked(3)[0].sequence == 5
    assert ears.refusals.counts == {"replayed": 1}


def test_a_neighbour_withdraws_what_it_said_and_nothing_else() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(2, 1), told(3, 2, 1))))
    _ = ears.hear_inside(Inside(0, heard=(Heard(PEER, told(3, 2, 1)),)))

    assert ears.hear(Update(1, withdrawn=(3, 4))) == [3]

    assert [each.hop for each in ears.routes.table.ranked(3)] == [node(1, 1)]


def test_who_begins_again_keeps_what_it_says_again() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(2, 1), told(3, 2, 1))))

    _ = ears.hear(Update(0, has_more=True, announced=(told(3, 2, 1),)))
    assert ears.origins == {2, 3}
    _ = ears.hear(Update(1))

    assert ears.origins == {3}


def test_d10_what_comes_after_a_gap_waits_until_all_is_told_again() -> None:
    ears = Listener()
    _ = ears.hear(Update(0))

    assert ears.hear(Update(2, announced=(told(3, 2, 1),))) == []

    assert ears.neighbour.ask_s is not None
    assert ears.hear(Update(0, announced=(told(3, 2, 1),))) == [3]


def test_what_nodes_of_the_domain_heard_is_judged_too() -> None:
    ears = Listener()
    heard = (
        Heard(PEER, told(3, 2, 1)),
        Heard(CUSTOMER, told(4, 2, 1)),
        Heard(PEER, told(2, 4, 1)),
    )

    assert ears.hear_inside(Inside(0, heard=heard)) == [3]

    assert ears.routes.table.ranked(3)[0].is_inside
    assert ears.refusals.counts == {"relation_mismatch": 1, "route_leak": 1}
    assert ears.hear_inside(Inside(1, lost=(Lost(3, 2),))) == [3]


def test_d10_who_lies_a_dozen_times_is_not_listened_to_for_a_while() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(2, 1),)))
    lies = tuple(told(3, 2, 1, sequence=number) for number in range(100))
    forged = tuple(lie[:-1] + bytes([lie[-1] ^ 1]) for lie in lies)

    moved = ears.hear(Update(1, announced=(*forged, told(3, 2, 1))))

    assert moved == [2]
    assert ears.origins == set()
    assert sum(ears.refusals.counts.values()) < 20
    assert ears.hear(Update(0, announced=(told(3, 2, 1),))) == []
    assert ears.refusals.counts["damped"] == 1
    assert ears.neighbour.ask_s == ears.damping.rests_until_s(node(2), now_s=0.0)
    _ = ears.damping.take_reusable(now_s=60.0)
    assert ears.hear(Update(0, announced=(told(3, 2, 1),))) == [3]


def test_services_of_a_node_are_news_when_they_differ() -> None:
    ears = Listener()

    assert not ears.hearing.take_offers(ears.mate, Inside(0))
    assert ears.hearing.take_offers(ears.mate, Inside(1, offers=(Offer(20),)))
    assert not ears.hearing.take_offers(ears.mate, Inside(2, offers=(Offer(20),)))
    assert ears.hearing.take_offers(ears.mate, Inside(3, offers=()))

    assert ears.routes.take_changes().services == {20}


def test_what_newer_records_deny_is_forgotten() -> None:
    ears = Listener()
    _ = ears.hear(Update(0, announced=(told(2, 1), told(3, 2, 1))))

    ears.hearing.use(Atlas(make_records([(1, 2, PEER), (3, 2, CUSTOMER)])))
    moved = list(ears.hearing.judge_again(now_s=0.0, unix_s=UNIX_S))

    assert [each.origin for each in moved] == [3]
    assert ears.origins == {2}
    assert ears.refusals.counts == {"route_leak": 1}


def test_a_message_of_a_neighbour_is_none_of_a_node_inside() -> None:
    ears = Listener()

    assert list(ears.hearing.take_update(ears.mate, Update(0), now_s=0.0, unix_s=0.0)) == []
