"""One real node for a figure: it is ready, it is watched, and nothing of it is left."""

import socket
import time
from dataclasses import replace

import pytest

from ei.bench.hosts import GenerateOrder
from ei.bench.network import loopback
from ei.bench.world import DELIVERY, Spent, World, is_ready, open_world
from ei.errors import LocalError
from ei.node.config import load_node_config

LEFTOVER_LIMIT_S = 2.5
"""A node that is asked to end does so at once; forcing it takes 3 s."""


def load(world: World, *, packets_per_s: float, seconds: float) -> GenerateOrder:
    return GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=DELIVERY,
        metadata=world.address("s0.bench"),
        payload_bytes=100,
        seconds=seconds,
        packets_per_s=packets_per_s,
    )


def test_utilisation_is_the_share_of_one_core() -> None:
    spent = Spent(received=0, sent=0, answered=0, cpu_ns=500_000_000, seconds=2.0)

    assert spent.utilisation == 0.25


@pytest.mark.slow
def test_everybody_has_an_address_of_their_own(world: World) -> None:
    names = ("n.bench", "g.bench", "s0.bench", "s1.bench", "all.bench")

    addresses = {world.address(name) for name in names}

    assert len(addresses) == len(names)
    assert {len(address) for address in addresses} == {16}


@pytest.mark.slow
def test_a_host_is_told_who_it_is_and_where_its_node_is(world: World) -> None:
    order = world.host("s1.bench", "127.0.0.1:0")

    assert (order.address, order.bind) == (world.address("s1.bench"), "127.0.0.1:0")
    assert (order.node, order.node_endpoint) == (world.address("n.bench"), world.network.node_bind)
    assert order.pipe_secret != world.host("s0.bench", "127.0.0.1:0").pipe_secret


@pytest.mark.slow
def test_watching_tells_what_the_node_did_meanwhile_and_no_more(world: World) -> None:
    order = load(world, packets_per_s=2_000, seconds=1.0)
    with world.start_sinks(1), world.start_generator(order) as generator:
        before = world.watch(0.0)
        generator.tell("go")

        spent = world.watch(0.5)

        generator.hear(deadline_s=5.0)
    assert before.received < 50
    assert 300 < spent.received < 1_500
    assert 0.9 < spent.sent / spent.received < 1.1
    assert 0.5 <= spent.seconds < 1.0
    assert 0.0 < spent.utilisation < 1.0


@pytest.mark.slow
def test_nothing_is_left_of_a_world() -> None:
    network = loopback()
    with open_world(network, sinks=1) as world:
        folder = world.folder
        assert is_ready(world.folder / "n.bench" / "admin.sock")
        began_s = time.monotonic()

    assert time.monotonic() - began_s < LEFTOVER_LIMIT_S
    assert not folder.exists()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        host, port = network.node_bind.rsplit(":", 1)
        again.bind((host, int(port)))


@pytest.mark.slow
def test_the_node_polls_as_long_as_it_was_asked_to() -> None:
    with open_world(loopback(), sinks=1, spin_us=1_000) as world:
        config = load_node_config(world.folder / "n.bench" / "node.toml")

    assert config.spin_us == 1_000


@pytest.mark.slow
def test_a_node_that_cannot_start_says_why_and_is_not_waited_for(world: World) -> None:
    began_s = time.monotonic()

    with (
        pytest.raises(LocalError, match=r"the node did not start: .*in use"),
        open_world(world.network, sinks=1),
    ):
        pass

    assert time.monotonic() - began_s < 10.0
    assert is_ready(world.folder / "n.bench" / "admin.sock")


@pytest.mark.slow
def test_a_host_that_cannot_start_says_why() -> None:
    elsewhere = replace(loopback(), sink_bind="192.0.2.1:0")

    with (
        open_world(elsewhere, sinks=1) as world,
        pytest.raises(LocalError, match=r"sink ended: .*192\.0\.2\.1"),
    ):
        world.start_sinks(1)
