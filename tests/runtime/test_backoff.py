from ei.runtime.backoff import Backoff, BackoffStatistics


def delays(backoff: Backoff, deaths: int) -> list[float]:
    return [backoff.died(0.0) for _ in range(deaths)]


def test_the_wait_doubles_from_50_ms_to_5_s() -> None:
    assert delays(Backoff(), 9) == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_who_was_stable_for_a_while_starts_over() -> None:
    backoff = Backoff()
    _ = delays(backoff, 5)
    backoff.started(100.0)

    assert backoff.died(110.0) == 110.05


def test_who_dies_soon_after_its_start_does_not() -> None:
    backoff = Backoff()
    _ = backoff.died(0.0)
    backoff.started(1.0)

    assert backoff.died(2.0) == 2.1


def test_it_says_how_often_it_died() -> None:
    backoff = Backoff()
    _ = backoff.died(0.0)

    assert backoff.statistics() == BackoffStatistics(deaths=1, next_delay_s=0.1)
    assert repr(backoff) == "<Backoff 1 deaths, next after 0.1 s>"
