"""Hosts without an application: their pipes, what they send, and what sinks say they got."""

from pathlib import Path

import msgspec
import pytest
from tests.bench.conftest import SINKS, counted, wait_until

from ei.bench.children import Child, python
from ei.bench.hosts import (
    GenerateOrder,
    SinkOrder,
    generate,
    sink,
)
from ei.bench.world import DELIVERY, MULTICAST, World
from ei.errors import LocalError
from ei.lab.bare_hosts import HostOrder
from ei.sdk.packets import Protection
from ei.services.multicast.messages import Join

DEADLINE_S = 10.0
PACKETS_PER_S = 2_000
SECONDS = 0.4
"""Far less than a node can take, so that all arrives."""


def load(world: World, to: str, *, connections: int, service: int = DELIVERY) -> GenerateOrder:
    """Return an order that a node can take all of."""
    return GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=service,
        metadata=world.address(to),
        payload_bytes=100,
        connections=connections,
        seconds=SECONDS,
        packets_per_s=PACKETS_PER_S,
        protection=Protection.GROUPS if service == MULTICAST else Protection.DATAGRAMS,
    )


def send(world: World, order: GenerateOrder) -> int:
    """Generate; return how many packets were sent, when the node has received them."""
    before = counted(world, "received")
    with world.start_generator(order) as generator:
        generator.tell("go")
        sent = generator.hear(deadline_s=DEADLINE_S)["sent"]
    assert isinstance(sent, int)
    wait_until(lambda: counted(world, "received") - before >= sent)
    return sent


def test_a_generator_without_a_pipe_says_so(lonely: HostOrder) -> None:
    said: list[object] = []
    order = GenerateOrder(
        host=lonely, service=DELIVERY, metadata=b"", payload_bytes=0, up_limit_s=0.05
    )

    assert generate(order, said.append) == 1

    assert said == [{"error": f"no pipe to {lonely.node_endpoint} within 0.05 s"}]


def test_a_sink_says_how_many_of_its_pipes_are_missing(lonely: HostOrder) -> None:
    said: list[object] = []

    assert sink(SinkOrder(hosts=(lonely, lonely), up_limit_s=0.05), said.append) == 1

    assert said == [{"error": "0 of 2 pipes are up after 0.05 s"}]


@pytest.mark.slow
def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    command = python("ei.bench.hosts", "sing")
    with Child("host", command, cpu=None, log=tmp_path / "log") as host:
        host.tell({})

        with pytest.raises(LocalError, match="role 'sing' is neither generate nor sink"):
            host.hear(deadline_s=DEADLINE_S)


@pytest.mark.slow
@pytest.mark.parametrize("connections", [0, 1, 3])
def test_what_is_sent_at_an_offered_rate_arrives_at_the_sink(
    world: World, connections: int
) -> None:
    with world.start_sinks(1) as sink:
        before = counted(world, "sent")
        sent = send(world, load(world, "s0.bench", connections=connections))
        wait_until(lambda: counted(world, "sent") - before >= sent)
        sink.hang_up()
        told = sink.hear(deadline_s=DEADLINE_S)

    assert 0.5 < sent / (PACKETS_PER_S * SECONDS) < 1.2
    assert told == {"received": sent}


@pytest.mark.slow
def test_a_group_of_sinks_gets_a_copy_each(world: World) -> None:
    control = msgspec.msgpack.encode(Join(group=world.address("all.bench")))
    with world.start_sinks(3, service=MULTICAST, control=control) as sinks:
        before = counted(world, "sent")
        sent = send(world, load(world, "all.bench", connections=1, service=MULTICAST))
        wait_until(lambda: counted(world, "sent") - before >= 3 * sent)
        sinks.hang_up()
        told = sinks.hear(deadline_s=DEADLINE_S)

    assert told == {"received": 3 * sent}


@pytest.mark.slow
def test_one_connection_is_decided_once(world: World) -> None:
    with world.start_sinks(1):
        before = counted(world, "answered")

        sent = send(world, load(world, "s0.bench", connections=1))

        assert counted(world, "answered") - before < 0.2 * sent


@pytest.mark.slow
def test_new_connections_are_new_in_every_run(world: World) -> None:
    with world.start_sinks(1):
        for _ in range(2):
            before = counted(world, "answered")

            sent = send(world, load(world, "s0.bench", connections=0))

            wait_until(lambda before=before, sent=sent: counted(world, "answered") - before == sent)


@pytest.mark.slow
def test_a_generator_that_was_never_told_sends_nothing(world: World) -> None:
    with world.start_sinks(1) as sink:
        with world.start_generator(load(world, "s0.bench", connections=1)) as generator:
            generator.hang_up()
            with pytest.raises(LocalError, match="ended"):
                generator.hear(deadline_s=DEADLINE_S)
        sink.hang_up()

        assert sink.hear(deadline_s=DEADLINE_S) == {"received": 0}


@pytest.mark.slow
def test_many_hosts_of_one_address_do_not_dial_more_than_a_node_answers(world: World) -> None:
    def refused() -> int:
        dropped = msgspec.convert(world.look()["dropped"], dict[str, int])
        return dropped.get("handshake_rate", 0)

    before = refused()

    with world.start_sinks(SINKS):
        assert refused() == before
