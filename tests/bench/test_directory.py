"""A warm answer of the directory, beside the hand-overs that it needs."""

import os

import pytest

from ei.bench.children import allowed_cpu
from ei.bench.directory import PROBES, answer_in_loop, answers_in, probe, sum_up
from ei.bench.miss import hand_overs
from ei.bench.world import LOAD_CPU, World


def test_an_answer_may_take_twice_as_long_as_its_hand_overs() -> None:
    met = sum_up([[118.0] * PROBES], [60.0])
    missed = sum_up([[121.0] * PROBES], [60.0])

    assert (met.status, met.limit, met.baseline) == ("ok", 120.0, 60.0)
    assert missed.status == "missed"


@pytest.mark.parametrize("own", [[], [[]], [[50.0] * (PROBES // 2)]])
def test_questions_without_an_answer_are_no_good_figure(own: list[list[float]]) -> None:
    figure = sum_up(own, [60.0])

    assert figure.status == "invalid"
    assert "questions were answered" in figure.note


def test_a_message_goes_into_an_event_loop_and_back() -> None:
    taken_us = hand_overs(count=20, answer=answer_in_loop)

    assert len(taken_us) == 20


@pytest.mark.slow
def test_a_host_asks_a_real_node(world: World) -> None:
    taken_us = probe(world, probes=20)

    assert len(taken_us) == 20
    assert min(taken_us) > 1.0


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_it_is_measured_beside_hand_overs_of_the_same_run(world: World) -> None:
    figure = answers_in(world, runs=1)

    assert (figure.unit, figure.runs) == ("µs", 1)
    assert figure.limit == pytest.approx(2.0 * (figure.baseline or 0.0), abs=0.2)
    assert os.sched_getaffinity(world.pid) == {allowed_cpu(LOAD_CPU)}
