"""A relay of ours beside those of others, which may not be here."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ei.bench.hit import Run
from ei.bench.network import Network, open_network
from ei.bench.relays import Cost, relays_in, run_other, sent_bytes, sum_up
from ei.bench.tunnels import Relayed
from ei.bench.world import World
from ei.errors import LocalError

OWN = [Run(cost_ns=400.0, utilisation=0.9, handed_on=1.0)] * 3
THEIRS = [Cost(4_000.0, "other 1.0"), Cost(failed="it ended"), Cost(3_000.0, "other 1.0")]


def test_ours_may_cost_a_fifth_of_what_the_other_does() -> None:
    figure = sum_up("relay V 512 B beside other", OWN, THEIRS)

    assert (figure.measured, figure.baseline, figure.limit) == (400.0, 3_500.0, 700.0)
    assert figure.status == "ok"
    assert "other 1.0" in figure.note


def test_a_node_that_dropped_packets_is_no_relay() -> None:
    dropping = Run(cost_ns=10.0, utilisation=0.9, handed_on=0.5)

    figure = sum_up("relay", [*OWN, dropping], THEIRS)

    assert (figure.status, figure.note) == ("invalid", "the node dropped packets")


def test_beside_nobody_there_is_no_figure() -> None:
    figure = sum_up("relay", OWN, [Cost(failed="nebula is not installed; make others")] * 2)

    assert (figure.status, figure.note) == ("invalid", "nebula is not installed; make others")


@contextmanager
def absent(_network: Network, _folder: Path) -> Generator[Relayed]:
    """Be a relay that does not start."""
    raise LocalError("it is not here")
    yield


def test_who_does_not_start_says_why() -> None:
    with open_network() as network:
        assert run_other(network, absent, 512) == Cost(failed="it is not here")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ours_is_measured_without_the_others(world: World) -> None:
    with world.start_sinks(1):
        (figure,) = relays_in(world, "L", 512, runs=1, others={"other": absent})

    assert (figure.name, figure.note) == ("relay L 512 B beside other", "it is not here")


@pytest.mark.slow
def test_what_leaves_the_relay_is_counted_without_its_headers() -> None:
    with open_network() as network:
        if network.why_loopback:
            pytest.skip(network.why_loopback)

        assert sent_bytes(network) >= 0
