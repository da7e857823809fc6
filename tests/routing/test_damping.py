"""What comes and goes too often rests, and is used again once it has kept still."""

from ei.routing.damping import CHANGE, HALF_LIFE_S, LOSS, MOST, Damping


def test_a_few_losses_in_a_minute_are_forgiven() -> None:
    damping = Damping[str](limit=10)

    damped = [damping.add("a", LOSS, now_s=20.0 * number) for number in range(10)]

    assert not any(damped)


def test_d10_ten_losses_a_second_are_damped_within_a_second() -> None:
    damping = Damping[str](limit=10)

    damped = [damping.add("a", LOSS, now_s=number / 10) for number in range(10)]

    assert damped.count(True) == 1
    assert damping.is_damped("a")
    assert not damping.is_damped("b")
    assert len(damping) == 1


def test_who_keeps_still_is_used_again_within_two_half_lives() -> None:
    damping = Damping[str](limit=10)
    for number in range(100):
        _ = damping.add("a", LOSS, now_s=number / 10)
    at_s = damping.rests_until_s("a", now_s=9.9)

    assert damping.penalty("a", now_s=9.9) <= MOST
    assert damping.take_reusable(now_s=at_s - 1.1) == []
    assert damping.take_reusable(now_s=at_s + 0.1) == ["a"]
    assert at_s <= 11.0 + 2 * HALF_LIFE_S
    assert not damping.is_damped("a")


def test_one_change_a_second_is_no_reason_to_damp() -> None:
    damping = Damping[str](limit=10)

    assert not any(damping.add("a", CHANGE, now_s=float(second)) for second in range(600))


def test_what_kept_still_for_long_is_forgotten() -> None:
    damping = Damping[str](limit=10)
    _ = damping.add("a", LOSS, now_s=0.0)

    _ = damping.take_reusable(now_s=4 * HALF_LIFE_S)

    assert repr(damping) == "<Damping of 0 subjects, 0 damped>"


def test_no_more_subjects_are_kept_than_allowed() -> None:
    damping = Damping[int](limit=10)

    for number in range(100):
        _ = damping.add(number, MOST, now_s=0.0)

    assert repr(damping) == "<Damping of 10 subjects, 10 damped>"


def test_a_clock_that_stands_still_or_goes_back_does_no_harm() -> None:
    damping = Damping[str](limit=10)
    _ = damping.add("a", LOSS, now_s=10.0)

    assert damping.penalty("a", now_s=5.0) == LOSS
    assert damping.rests_until_s("b", now_s=5.0) == 5.0
