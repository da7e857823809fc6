from ei.runtime.backoff import Backoff, BackoffStatistics


def delays(backoff: Backoff, deaths: int) -> list[float]:
    return [backoff.died(0.0) for _ in range(deaths)]


def test_c5_the_wait_doubles_from_50_ms_and_is_5_s_from_the_fifth_death_on() -> None:
    assert delays(Backoff(), 7) == [0.05, 0.1, 0.2, 0.4, 5.0, 5.0, 5.0]


def test_c5_its_circuit_is_open_from_the_fifth_death_in_a_row_on() -> None:
    backoff = Backoff()
    _ = delays(backoff, 4)

    assert not backoff.is_open
    _ = backoff.died(0.0)
    assert backoff.is_open

    backoff.started(100.0)
    _ = backoff.died(110.0)
    assert not backoff.is_open


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
