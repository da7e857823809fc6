"""What a decided packet costs: only of a node that was loaded, and that handed on what it got."""

from dataclasses import replace

import msgspec
import pytest

from ei.bench.hit import FAN_OUT_LIMIT_NS, Run, fanout_in, hit_in, run_node, run_plain, sum_up
from ei.bench.hosts import GenerateOrder
from ei.bench.world import DELIVERY, MULTICAST, World
from ei.sdk.packets import Protection
from ei.services.multicast.messages import Join

GOOD = Run(cost_ns=300.0, utilisation=0.99, handed_on=1.0)
PLAIN = Run(cost_ns=150.0, utilisation=0.9, handed_on=1.0)


def load(world: World, to: bytes) -> GenerateOrder:
    """Return an order of 20,000 packets/s, for as long as a run takes."""
    return GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=DELIVERY,
        metadata=to,
        payload_bytes=100,
        seconds=1.7,
        packets_per_s=20_000,
    )


@pytest.mark.parametrize(
    ("limit_ns", "status"), [(350.0, "ok"), (299.0, "missed"), (None, "printed")]
)
def test_the_cost_is_compared_with_its_limit_and_the_plain_forwarder(
    limit_ns: float | None, status: str
) -> None:
    figure = sum_up("hit", [GOOD], [PLAIN], limit_ns=limit_ns)

    assert (figure.measured, figure.baseline, figure.ratio) == (300.0, 150.0, 2.0)
    assert figure.status == status


def test_a_node_that_was_starved_gives_no_figure() -> None:
    starved = replace(GOOD, utilisation=0.5)

    figure = sum_up("hit", [GOOD, starved, GOOD], [PLAIN], limit_ns=350.0)

    assert figure.status == "invalid"
    assert figure.note == "the generator kept the node busy for 50% only"


def test_a_node_that_dropped_what_it_got_gives_no_figure() -> None:
    dropping = replace(GOOD, cost_ns=10.0, handed_on=0.1)

    figure = sum_up("hit", [GOOD, dropping, GOOD], [PLAIN], limit_ns=350.0)

    assert figure.status == "invalid"
    assert figure.note == "the node handed on 10% only"


@pytest.mark.parametrize("own", [[], [Run(cost_ns=0.0, utilisation=0.0, handed_on=0.0)]])
def test_a_node_that_got_nothing_gives_no_figure(own: list[Run]) -> None:
    figure = sum_up("hit", own, [PLAIN], limit_ns=350.0)

    assert (figure.status, figure.runs) == ("invalid", 0)


def test_a_plain_forwarder_that_got_nothing_is_no_baseline() -> None:
    nothing = Run(cost_ns=0.0, utilisation=0.0, handed_on=0.0)

    figure = sum_up("hit", [GOOD], [nothing, PLAIN], limit_ns=350.0)

    assert figure.baseline == 150.0


@pytest.mark.slow
def test_the_plain_forwarder_is_loaded_and_hands_everything_on(world: World) -> None:
    run = run_plain(world.network, world.folder, 512)

    assert 10.0 < run.cost_ns < 50_000.0
    assert 0.05 < run.utilisation < 1.2
    assert run.handed_on > 0.95


@pytest.mark.slow
def test_a_run_tells_that_the_node_handed_on_what_it_got(world: World) -> None:
    with world.start_sinks(1):
        run = run_node(world, load(world, world.address("s0.bench")), copies=1)

    assert 10.0 < run.cost_ns < 100_000.0
    assert 0.0 < run.utilisation < 0.8
    assert run.handed_on == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_a_run_tells_that_the_node_handed_on_every_copy(world: World) -> None:
    group = world.address("all.bench")
    order = msgspec.structs.replace(
        load(world, group), service=MULTICAST, protection=Protection.GROUPS
    )
    control = msgspec.msgpack.encode(Join(group=group))
    with world.start_sinks(3, service=MULTICAST, control=control):
        run = run_node(world, order, copies=3)

    assert 10.0 < run.cost_ns < 100_000.0
    assert run.handed_on == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_a_run_to_nobody_tells_that_nothing_was_handed_on(world: World) -> None:
    nobody = bytes([*world.address("s0.bench")[:-1], 0])

    run = run_node(world, load(world, nobody), copies=1)

    assert run.handed_on < 0.05


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_hit_is_measured_by_link_model_and_size(world: World) -> None:
    (figure,) = hit_in(world, runs=1, sizes_bytes=(512,))

    assert (figure.name, figure.runs, figure.limit) == ("hit L 512 B", 1, None)
    assert figure.measured > 10.0
    assert figure.baseline is not None
    assert figure.baseline > 10.0


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_copies_are_measured_each(world: World) -> None:
    figure = fanout_in(world, runs=1, copies=3)

    assert (figure.name, figure.runs) == ("fanout 3 L 512 B, per copy", 1)
    assert figure.limit == FAN_OUT_LIMIT_NS
    assert figure.measured > 10.0
    assert figure.baseline is not None
    assert figure.baseline > 10.0
