import os

from ei.scenarios.hostile.cutting import BUDGET_MS, LIMIT_MS, WAYS, cpu_s


def test_the_limit_is_twice_the_budget_or_ten_milliseconds_more() -> None:
    assert (BUDGET_MS, LIMIT_MS) == (50, 100)


def test_each_way_is_another() -> None:
    assert len(set(WAYS)) == len(WAYS)


def test_the_cpu_time_of_a_process_grows_until_it_is_gone() -> None:
    before_s = cpu_s(os.getpid())

    _ = sum(range(10**6))

    assert before_s is not None
    assert before_s <= (cpu_s(os.getpid()) or 0.0)
    assert cpu_s(2**22 + 1) is None
