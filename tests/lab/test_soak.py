"""What a soak promises, and how it is judged."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from ei.lab.catalogue import find_topology
from ei.lab.soak import Course, growth, judge, show_progress, slope_per_min, soak
from ei.lab.soak_record import Sample
from ei.lab.use import Use

USE = Use(memory_kib=100_000, files=20, threads=4, processes=3)
SHORT_S = 12.0


def course(*, after: Use = USE, grows_kib: int = 0) -> Course:
    samples = [
        Sample(10.0 * number, number, {"n": replace(USE, memory_kib=100_000 + number * grows_kib)})
        for number in range(40)
    ]
    return Course(rounds=500, samples=samples, before={"n": USE}, after={"n": after})


def replace_uses(sample: Sample, uses: Mapping[str, Use]) -> Sample:
    return msgspec.structs.replace(sample, uses=dict(uses))


def statuses(course: Course, *, seconds: float = 400.0) -> dict[str, str]:
    return {row.name: row.status for row in judge(course, seconds=seconds)}


def test_growth_is_from_the_first_third_to_the_last() -> None:
    assert growth([1.0, 3.0, 100.0, 100.0, 4.0, 6.0]) == 3.0
    assert growth([1.0, 5.0]) == 0.0


def test_a_slope_is_that_of_most_and_not_of_what_settles_or_sticks_out() -> None:
    settling = [(10.0 * number, 100.0 + max(0, 10 - number) * 50) for number in range(30)]
    leaking = [(10.0 * number, 100.0 + number) for number in range(30)]
    one_off = [*leaking[:20], (200.0, 90_000.0), *leaking[21:]]

    assert slope_per_min(settling) == 0.0
    assert slope_per_min(leaking) == pytest.approx(6.0)
    assert slope_per_min(one_off) == pytest.approx(6.0)
    assert slope_per_min([]) == 0.0


def test_a_long_soak_promises_that_memory_has_no_slope() -> None:
    name = "slope of memory, at most (n)"

    assert name not in statuses(course(grows_kib=20))
    assert statuses(course(grows_kib=20), seconds=1_800.0)[name] == "broken"
    assert statuses(course(), seconds=1_800.0)[name] == "ok"


def test_what_stays_as_it_is_keeps_all_promises() -> None:
    assert set(statuses(course()).values()) == {"ok"}


def test_memory_that_grows_is_a_broken_promise() -> None:
    assert statuses(course(grows_kib=400))["growth of memory, at most (n)"] == "broken"


@pytest.mark.parametrize("what", ["files", "threads", "processes"])
def test_one_more_than_before_is_a_broken_promise(what: str) -> None:
    after = replace(USE, **{what: getattr(USE, what) + 1})

    assert statuses(course(after=after))[f"{what} more than before (n)"] == "broken"


def test_who_has_more_than_before_is_named() -> None:
    found = course()
    found.before = {"n": USE, "m": USE}
    found.after = {"n": USE, "m": replace(USE, threads=USE.threads + 1)}
    found.samples = [replace_uses(each, found.before) for each in found.samples]

    assert statuses(found)["threads more than before (m)"] == "broken"


def test_without_load_nothing_is_shown() -> None:
    found = course()
    found.rounds = 3

    assert statuses(found)["files more than before (n)"] == "invalid"


def test_a_terminal_is_told_in_one_line_what_has_grown_most(
    capsys: pytest.CaptureFixture[str],
) -> None:
    so_far = course(grows_kib=20)
    show_progress(Course(rounds=7), 5.0, seconds=400.0)
    show_progress(Course(rounds=500, samples=so_far.samples), 61.0, seconds=400.0)

    assert capsys.readouterr().err.split("\r\x1b[K") == [
        "",
        "5 of 400 s, 7 rounds",
        "61 of 400 s, 500 rounds, n has +780 KiB since it was warm",
    ]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_b14_nothing_grows_under_load(environ: Mapping[str, str]) -> None:
    found = asyncio.run(
        soak(find_topology("delivery"), seconds=SHORT_S, seed=1, quiet_s=20, environ=environ)
    )

    assert found.rounds > SHORT_S / 10
    assert found.faults > 0
    rows = judge(found, seconds=SHORT_S)
    assert [row for row in rows if row.status != "ok"] == []
