"""Copies of ours beside what brokers of others spend on a delivery."""

from ei.bench.brokers import sum_up
from ei.bench.figures import figure
from ei.lab.brokers.beside import NOT_SUSTAINED, Cost

COPIES = figure("fanout 64", [200.0], unit="ns CPU/packet")


def test_a_broker_may_be_expected_to_spend_three_times_as_much() -> None:
    costs = [Cost(900.0, 100_000.0), Cost(1_200.0, 90_000.0), NOT_SUSTAINED]

    beside = sum_up("fanout beside NATS", COPIES, costs, subscribers=64)

    assert (beside.measured, beside.baseline, beside.limit) == (200.0, 1_050.0, 350.0)
    assert beside.status == "ok"


def test_a_broker_that_sustained_nothing_is_no_baseline() -> None:
    beside = sum_up("fanout beside NATS", COPIES, [NOT_SUSTAINED], subscribers=64)

    assert (beside.status, beside.note) == ("invalid", "the broker sustained none of the rates")


def test_copies_that_are_no_figure_are_none_beside_anybody() -> None:
    nothing = figure("fanout 64", [], unit="ns CPU/packet", invalid="starved")

    beside = sum_up("fanout beside NATS", nothing, [Cost(900.0, 1.0)], subscribers=64)

    assert beside.status == "invalid"
