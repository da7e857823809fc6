import os
import subprocess
import sys

from ei.node.giving_way import CALM_LOOKS, LOOK_S, GivingWay, let_give_way, look_at


def looked(shares: list[float]) -> list[bool]:
    """Return whether a worker gives way after each look at which it had used this share."""
    worker, cpu_s, said = GivingWay(), 0.0, list[bool]()
    _ = worker.look(7, 0.0, 0.0)
    for number, share in enumerate(shares, start=1):
        cpu_s += share * LOOK_S
        _ = worker.look(7, cpu_s, number * LOOK_S)
        said.append(worker.is_so)
    return said


def test_who_keeps_a_core_busy_gives_way() -> None:
    assert looked([0.0, 0.2, 0.3, 1.0]) == [False, False, True, True]


def test_who_was_calm_for_two_seconds_gives_way_no_more() -> None:
    assert looked([1.0] + [0.1] * CALM_LOOKS) == [True] * CALM_LOOKS + [False]
    assert all(looked([1.0, *[0.1] * (CALM_LOOKS - 1), 1.0, *[0.1] * (CALM_LOOKS - 1)]))


def test_it_says_when_that_changes() -> None:
    worker = GivingWay()

    said = [worker.look(7, number * LOOK_S, number * LOOK_S) for number in range(4)]

    assert said == [False, True, False, False]


def test_a_worker_that_died_gives_way_when_it_is_back() -> None:
    worker = GivingWay()
    _ = worker.look(7, 0.0, 0.0)
    _ = worker.look(7, LOOK_S, LOOK_S)

    assert not worker.look(8, 0.0, 2 * LOOK_S)

    assert worker.is_so


def test_a_process_that_gives_way_has_what_nobody_else_wants() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        let_give_way(process.pid, is_so=True)

        assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
        let_give_way(process.pid, is_so=False)
        _ = process.communicate(b"\n")


def test_a_process_that_is_gone_is_passed_over() -> None:
    look_at(GivingWay(), 2**22 + 1, 1.0)
    let_give_way(2**22 + 1, is_so=True)
