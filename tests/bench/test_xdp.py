"""What AF_XDP saves: of a rate that both ways have reached, with all packets handed on."""

from dataclasses import replace

import pytest
from tests.bench.conftest import counted

from ei.bench.hit import Run, order_of, run_node
from ei.bench.network import open_network
from ei.bench.world import DELIVERY, open_world
from ei.bench.xdp import OFFERED_PER_S, open_capturing, sum_up, xdp

CAPTURED = Run(
    cost_ns=600.0, utilisation=0.3, handed_on=1.0, received_per_s=OFFERED_PER_S, captured=1.0
)
RECEIVED = Run(cost_ns=1_500.0, utilisation=0.7, handed_on=1.0, received_per_s=OFFERED_PER_S)


def test_it_stands_beside_the_same_from_a_socket() -> None:
    figure = sum_up("xdp", [CAPTURED] * 3, [RECEIVED] * 3)

    assert (figure.measured, figure.baseline, figure.ratio) == (600.0, 1_500.0, 0.4)
    assert figure.status == "printed"


@pytest.mark.parametrize("who", [0, 1])
def test_a_rate_that_one_of_both_has_not_reached_gives_no_figure(who: int) -> None:
    runs = [[CAPTURED], [RECEIVED]]
    runs[who].append(replace(runs[who][0], received_per_s=200_000.0))

    figure = sum_up("xdp", *runs)

    assert (figure.status, figure.note) == ("invalid", "the node got 200,000 packets a second only")


def test_packets_that_came_by_the_socket_give_no_figure() -> None:
    figure = sum_up("xdp", [CAPTURED, replace(CAPTURED, captured=0.4)], [RECEIVED] * 2)

    assert (figure.status, figure.note) == ("invalid", "AF_XDP took 40% of the packets only")


def test_a_node_that_dropped_packets_gives_no_figure() -> None:
    figure = sum_up("xdp", [CAPTURED, replace(CAPTURED, handed_on=0.5)], [RECEIVED])

    assert (figure.status, figure.note) == ("invalid", "the node handed on 50% only")


@pytest.mark.slow
def test_all_packets_of_a_capturing_node_come_from_the_device() -> None:
    with open_network() as network:
        if network.why_loopback:
            pytest.skip(network.why_loopback)
        network.shape("W")
        # Another one has the first address, as in the bench.
        with open_world(network, sinks=1) as other, open_capturing(network) as world:
            order = order_of(world, DELIVERY, "s0.bench", 512)

            run = run_node(world, order, copies=1)

            assert counted(other, "captured") == 0
            captured, received = counted(world, "captured"), counted(world, "received")
    assert run.received_per_s > 1_000
    assert run.handed_on > 0.9
    # The sink comes by another device.
    assert 0.99 < captured / received < 1.0
    assert run.captured > 0.99


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_each_size_is_a_figure() -> None:
    with open_network() as network:
        if network.why_loopback:
            pytest.skip(network.why_loopback)

    names = [figure.name for figure in xdp(runs=1)]

    assert names == [f"xdp W {size} B at 400,000/s" for size in (128, 512, 1400)]
