"""A session notices what it missed, and asks for it, but not without end."""

from tests.routing.world import node

from ei.routing.policy import Relation
from ei.routing.sessions import ASK_AGAIN_MOST_S, ASK_AGAIN_S, Session


def session() -> Session:
    return Session(node(1), 1, Relation.PEER)


def test_numbers_follow_one_another_from_0() -> None:
    one = session()

    assert not one.expects(1, now_s=0.0)
    assert one.expects(0, now_s=0.0)
    assert one.expects(1, now_s=0.0)
    assert one.expects(0, now_s=0.0)


def test_d10_a_gap_is_noticed_and_asked_about_once_a_second() -> None:
    one = session()
    one.asked(now_s=9.5)
    _ = one.expects(0, now_s=10.0)

    assert not one.expects(2, now_s=10.0)

    assert one.ask_s == 10.5
    assert not one.expects(3, now_s=10.1)
    assert one.expects(0, now_s=10.2)
    assert one.ask_s is None


def test_who_does_not_tell_is_asked_ever_more_rarely() -> None:
    one = session()
    waits: list[float] = []

    for _ in range(10):
        one.asked(now_s=0.0)
        waits.append(one.ask_s or 0.0)

    assert waits[:3] == [ASK_AGAIN_S, 2 * ASK_AGAIN_S, 4 * ASK_AGAIN_S]
    assert waits[-1] == ASK_AGAIN_MOST_S


def test_inside_and_outside_have_outlets_of_their_own() -> None:
    inside = Session(node(1), 1, None)

    assert inside.outlet is inside.inward
    assert session().outlet is not session().inward
