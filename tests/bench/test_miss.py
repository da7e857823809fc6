"""Packets that Python decides: a rate that means something, and what a decision adds."""

from pathlib import Path

import pytest

from ei.bench.miss import (
    RATE_LIMIT_PER_S,
    Rate,
    added_in,
    hand_overs,
    rate_in,
    why_invalid,
)
from ei.bench.world import LOAD_CPU, NODE_CPU, World

ABOVE = RATE_LIMIT_PER_S * 1.5
BELOW = RATE_LIMIT_PER_S * 0.5


def children() -> list[str]:
    """Return the processes that this one has to wait for."""
    return [path.read_text() for path in Path("/proc/self/task").glob("*/children")]


@pytest.mark.parametrize(
    ("rates", "is_valid"),
    [
        ([Rate(answered_per_s=BELOW, offered_per_s=ABOVE)], True),
        ([Rate(answered_per_s=ABOVE, offered_per_s=ABOVE)], True),
        ([Rate(answered_per_s=RATE_LIMIT_PER_S, offered_per_s=RATE_LIMIT_PER_S)], True),
        ([Rate(answered_per_s=BELOW, offered_per_s=BELOW)], False),
        ([Rate(answered_per_s=0.99 * BELOW, offered_per_s=BELOW)], False),
        ([Rate(answered_per_s=0.9 * BELOW, offered_per_s=BELOW)], True),
        ([Rate(ABOVE, ABOVE), Rate(BELOW, BELOW)], False),
        ([], True),
    ],
)
def test_a_rate_below_the_limit_counts_only_if_more_was_offered(
    rates: list[Rate], *, is_valid: bool
) -> None:
    assert (why_invalid(rates) == "") == is_valid


def test_the_smallest_offer_is_told() -> None:
    rates = [Rate(20_000.0, 20_000.0), Rate(10_000.0, 10_000.0)]

    assert why_invalid(rates) == "only 10,000/s were offered"


def test_a_message_goes_to_another_process_and_back() -> None:
    before = children()

    taken_us = hand_overs(count=20)

    assert len(taken_us) == 20
    assert all(each > 0.0 for each in taken_us)
    assert children() == before


@pytest.mark.slow
def test_the_rate_is_of_packets_that_the_service_answered(world: World) -> None:
    figure = rate_in(world, runs=1)

    assert (figure.unit, figure.limit, figure.runs) == ("packets/s", RATE_LIMIT_PER_S, 1)
    assert 1_000 < figure.measured < 1_000_000


@pytest.mark.slow
def test_a_decision_by_the_service_takes_longer_than_a_remembered_one(world: World) -> None:
    figure = added_in(world, runs=1, workers_cpu=LOAD_CPU)

    assert (figure.unit, figure.runs) == ("µs", 1)
    assert "one core" not in figure.name
    assert figure.measured > 0.0
    assert figure.baseline is not None
    assert figure.limit == pytest.approx(2.0 * figure.baseline, abs=0.2)


@pytest.mark.slow
def test_on_one_core_it_is_held_to_nothing(world: World) -> None:
    figure = added_in(world, runs=1, workers_cpu=NODE_CPU)

    assert "one core" in figure.name
    assert figure.limit is None
    assert figure.baseline is not None
