"""What a node says: its domain's own services, and what it may pass on, to whom it may."""

from collections.abc import Iterable
from random import Random

from tests.routing.test_hearing import told
from tests.routing.world import node, node_keys

from ei.routing.announcements import Announcement, Offer, read_announcement
from ei.routing.messages import Inside, Update, read_message
from ei.routing.outlets import BATCH_S
from ei.routing.policy import Relation
from ei.routing.routes import Routes
from ei.routing.sessions import Session
from ei.routing.speech import LIFE_S, REFRESH_S, Speech
from ei.routing.table import Candidate
from ei.sdk.packets import Address

CUSTOMER, PEER, PROVIDER = Relation.CUSTOMER, Relation.PEER, Relation.PROVIDER
UNIX_S = 1_000.0


def heard(*walk: int, relation: Relation, is_inside: bool = False) -> Candidate:
    """Return what domain 1 keeps of what was said along a walk that ends with it."""
    announced = told(*walk, 1)
    said = read_announcement(announced)
    return Candidate(
        announced=announced,
        digest=said.digests()[-1],
        origin=said.origin,
        signer=node(said.origin),
        sequence=said.sequence,
        path=said.path,
        offers=said.offers,
        hop=node(1, 1) if is_inside else node(said.path[0]),
        is_inside=is_inside,
        relation=relation,
        deadline_s=1_000.0,
    )


class Speaker:
    """The voice of domain 1, to the customer 2, the peer 3, the provider 4 and an own node."""

    def __init__(self, *candidates: Candidate) -> None:
        self.routes = Routes({}.get)
        for each in candidates:
            _ = self.routes.put(each, now_s=0.0)
        self.sessions = {
            node(2): Session(node(2), 2, CUSTOMER),
            node(3): Session(node(3), 3, PEER),
            node(4): Session(node(4), 4, PROVIDER),
            node(1, 1): Session(node(1, 1), 1, None),
        }
        self.speech = Speech(node_keys(1), 1, self.routes, self.sessions, random=Random(1))

    def start(self, *peers: Address) -> dict[Address, list[Announcement]]:
        for peer in peers:
            self.speech.start(self.sessions[peer], at_s=0.0)
        return self.said(self.speech.speak(now_s=0.0, unix_s=UNIX_S))

    def put(self, candidate: Candidate, *, now_s: float) -> None:
        self.speech.note(self.routes.put(candidate, now_s=now_s), now_s=now_s)

    @staticmethod
    def said(out: Iterable[tuple[Address, bytes]]) -> dict[Address, list[Announcement]]:
        said: dict[Address, list[Announcement]] = {}
        for peer, message in out:
            match read_message(message):
                case Update(announced=announced):
                    said.setdefault(peer, []).extend(map(read_announcement, announced))
                case Inside(heard=entries):
                    said.setdefault(peer, []).extend(
                        read_announcement(each.announced) for each in entries
                    )
                case _:
                    raise AssertionError(message)
        return said


def origins(said: dict[Address, list[Announcement]]) -> dict[Address, list[int]]:
    return {peer: sorted(each.origin for each in entries) for peer, entries in said.items()}


def test_everybody_hears_of_customers_and_customers_of_everybody() -> None:
    speaker = Speaker(
        heard(5, 2, relation=CUSTOMER), heard(6, 3, relation=PEER), heard(7, 4, relation=PROVIDER)
    )

    said = speaker.start(node(2), node(3), node(4), node(1, 1))

    assert origins(said) == {
        node(2): [1, 6, 7],
        node(3): [1, 5],
        node(4): [1, 5],
        node(1, 1): [5, 6, 7],
    }


def test_what_is_passed_on_is_signed_for_the_next_domain() -> None:
    speaker = Speaker(heard(5, 2, relation=CUSTOMER))

    (_, passed) = sorted(speaker.start(node(3))[node(3)], key=lambda each: each.origin)

    assert passed.path == (1, 2, 5)
    assert passed.hops[-1].next == 3
    assert passed.hops[-1].signer == node_keys(1).identity_key
    assert speaker.speech.statistics.announced == 2
    assert speaker.speech.statistics.signed == 2


def test_what_a_node_of_the_domain_told_is_not_told_on_inside() -> None:
    speaker = Speaker(heard(5, 2, relation=CUSTOMER, is_inside=True))

    said = speaker.start(node(3), node(1, 1))

    assert origins(said) == {node(3): [1, 5], node(1, 1): []}


def test_the_domain_announces_the_services_of_all_its_nodes() -> None:
    speaker = Speaker()
    speaker.speech.offer([Offer(21), Offer(20)], now_s=0.0)
    speaker.sessions[node(1, 1)].offers = (Offer(20), Offer(22))

    (own,) = speaker.start(node(3))[node(3)]

    assert own.offers == (Offer(20), Offer(21), Offer(22))
    assert own.expires_unix_s == UNIX_S + LIFE_S
    assert own.sequence == UNIX_S * 1e6


def test_other_nodes_of_the_domain_are_told_the_own_services_once() -> None:
    speaker = Speaker()
    speaker.speech.offer([Offer(20)], now_s=0.0)
    speaker.speech.start(speaker.sessions[node(1, 1)], at_s=0.0)

    ((_, first),) = speaker.speech.speak(now_s=0.0, unix_s=UNIX_S)
    assert read_message(first) == Inside(0, offers=(Offer(20),))
    speaker.speech.offer([Offer(21)], now_s=5.0)
    ((_, second),) = speaker.speech.speak(now_s=5.0 + BATCH_S, unix_s=UNIX_S)

    assert read_message(second) == Inside(1, offers=(Offer(21),))


def test_the_own_domain_is_announced_again_before_its_time_is_over() -> None:
    speaker = Speaker()
    _ = speaker.start(node(3))
    again_s = speaker.speech.refresh_s

    assert REFRESH_S[0] <= again_s <= REFRESH_S[1]
    assert speaker.speech.speak(now_s=again_s, unix_s=UNIX_S) == []
    said = speaker.said(speaker.speech.speak(now_s=again_s + BATCH_S, unix_s=UNIX_S))

    assert said[node(3)][0].sequence == UNIX_S * 1e6 + 1


def test_a_new_way_is_told_and_one_that_may_not_be_told_any_more_is_withdrawn() -> None:
    speaker = Speaker(heard(5, 2, relation=CUSTOMER))
    _ = speaker.start(node(3))

    for moved in speaker.routes.remove(5, (node(2), 2), now_s=2.0, is_flap=False):
        speaker.speech.note(moved, now_s=2.0)
    speaker.put(heard(5, 4, relation=PROVIDER), now_s=2.0)
    speaker.put(heard(6, 2, relation=CUSTOMER), now_s=2.0)

    ((_, message),) = speaker.speech.speak(now_s=2.0 + BATCH_S, unix_s=UNIX_S)
    update = read_message(message)
    assert isinstance(update, Update)
    assert update.number == 1
    assert update.withdrawn == (5,)
    assert [read_announcement(each).origin for each in update.announced] == [6]


def test_a_neighbour_that_asks_is_answered_though_there_is_nothing_to_say() -> None:
    speaker = Speaker()
    speaker.speech.start(speaker.sessions[node(1, 1)], at_s=0.0)

    ((_, message),) = speaker.speech.speak(now_s=0.0, unix_s=UNIX_S)

    assert read_message(message) == Inside(0, offers=())
