"""What a packet costs when several threads work, beside one."""

from ei.bench.threads import Run, measure, sum_up

ONE = [Run(300.0, 1e6), Run(310.0, 1e6), Run(305.0, 1e6)]


def test_two_threads_may_cost_a_little_more_than_one() -> None:
    cost, rate, two_cost, two_rate = sum_up({1: ONE, 2: [Run(370.0, 1.5e6)]}, cores=2)

    assert (cost.status, rate.status) == ("printed", "printed")
    assert (two_cost.name, two_cost.limit, two_cost.status) == ("hit on 2 threads", 366.0, "missed")
    assert (two_rate.name, two_rate.limit, two_rate.status) == (
        "rate on 2 threads",
        1.6e6,
        "missed",
    )


def test_each_number_of_threads_is_measured() -> None:
    found = measure((1, 2), runs=1, packets=64)

    assert {count: len(runs) for count, runs in found.items()} == {1: 1, 2: 1}
    assert all(run.cost_ns > 0 and run.packets_per_s > 0 for runs in found.values() for run in runs)
