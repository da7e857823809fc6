"""One directory after another, with growing patience, until time is over."""

from math import inf

from ei.directory import Named
from ei.directory.asking import FIRST_S, GIVE_UP_S, MAX_ASKS, Asks
from ei.sdk.packets import Address

BOB = Named("bob.isp-b")
A, B = Address(b"a" * 16), Address(b"b" * 16)


def test_each_is_asked_in_turn_with_double_patience_in_each_round_until_time_is_over() -> None:
    asks = Asks()
    asks.begin(BOB, [A, B], now_s=0.0)
    now_s, asked = 0.0, [(0.0, asks.next_peer(BOB, now_s=0.0))]
    while (now_s := asks.deadlines.next_s) < inf:
        query = asks.take_due(now_s)
        assert query == BOB
        asked.append((round(now_s, 3), asks.next_peer(BOB, now_s=now_s)))

    assert asked[:5] == [(0.0, A), (FIRST_S, B), (0.6, A), (1.2, B), (1.8, A)]
    assert asked[-1] == (GIVE_UP_S, None)
    assert BOB not in asks
    assert asks.statistics().given_up == 1


def test_who_does_not_answer_is_asked_last_for_a_while() -> None:
    asks = Asks()
    asks.mark_down(A, now_s=0.0)
    asks.begin(BOB, [A, B], now_s=1.0)
    first = asks.next_peer(BOB, now_s=1.0)
    asks.end(BOB)

    asks.begin(BOB, [A, B], now_s=11.0)

    assert first == B
    assert asks.next_peer(BOB, now_s=11.0) == A
    asks.mark_down(A, now_s=11.0)
    asks.mark_up(A)
    asks.end(BOB)
    asks.begin(BOB, [A, B], now_s=11.0)
    assert asks.next_peer(BOB, now_s=11.0) == A


def test_who_refuses_is_not_asked_again() -> None:
    asks = Asks()
    asks.begin(BOB, [A, B], now_s=0.0)
    asks.next_peer(BOB, now_s=0.0)

    assert asks.is_asked(BOB, A)
    assert not asks.is_asked(BOB, B)
    assert asks.asked_last(A) == [BOB]
    assert asks.refuse(BOB, A)
    assert asks.next_peer(BOB, now_s=0.1) == B
    assert not asks.refuse(BOB, B)
    assert len(asks) == 0


def test_questions_are_bounded_and_need_somebody_to_ask() -> None:
    asks = Asks()

    begun = [asks.begin(Named(f"n{n}.isp-b"), [A], now_s=0.0) for n in range(MAX_ASKS + 1)]

    assert begun == [True] * MAX_ASKS + [False]
    assert not Asks().begin(BOB, [], now_s=0.0)
