"""A host calls services: packets and control messages, with what fits and nothing else."""

from typing import TYPE_CHECKING

import pytest

from ei.errors import LimitError, LocalError
from ei.host.events import (
    PacketReceived,
)

if TYPE_CHECKING:
    from tests.host.conftest import World


def test_numbers_that_fit_no_packet_are_refused(world: "World") -> None:
    alice = world.hosts["alice"]

    with pytest.raises(LocalError, match=r"service 1 is not 2 to"):
        _ = alice.calling.call(world.now_ns, 1, [b"x"], connection=1)
    with pytest.raises(LocalError, match=r"connection 18446744073709551616 is not 0 to"):
        _ = alice.calling.call(world.now_ns, 17, [b"x"], connection=2**64)
    with pytest.raises(LocalError, match=r"service 4294967296 is not 2 to"):
        alice.calling.send_control(world.now_ns, 2**32, b"x")


def test_a_service_answers_a_call_on_its_connection(world: "World") -> None:
    alice = world.hosts["alice"]

    taken = alice.calling.call(world.now_ns, 17, [b"one", b"two"], connection=5, metadata=b"m")
    world.run()

    packets = world.of("alice", PacketReceived)
    assert taken == 2
    assert [packet.payload for packet in packets] == [b"one", b"two"]
    assert {(packet.service, packet.connection, packet.metadata) for packet in packets} == {
        (17, 5, b"m")
    }


def test_a_call_that_nobody_seals_never_leaves(world: "World") -> None:
    alice = world.hosts["alice"]

    with pytest.raises(LocalError, match="service 17 cannot be called so: unprotected"):
        _ = alice.calling.call(world.now_ns, 17, [b"open"], connection=5, is_covered=False)


def test_metadata_that_is_too_long_is_refused(world: "World") -> None:
    alice = world.hosts["alice"]

    with pytest.raises(LimitError, match="metadata of 256 B; allowed are 255 B"):
        _ = alice.calling.call(world.now_ns, 17, [b"x"], connection=5, metadata=bytes(256))


def test_a_call_that_no_pipe_of_its_way_carries_is_refused_with_what_is_allowed(
    world: "World",
) -> None:
    alice = world.hosts["alice"]
    wanted = "1169 B beside 200 B of metadata; allowed are 1168 B"

    with pytest.raises(LimitError, match=wanted):
        _ = alice.calling.call(world.now_ns, 17, [bytes(1_169)], connection=5, metadata=bytes(200))


def test_the_largest_call_is_answered(world: "World") -> None:
    alice = world.hosts["alice"]

    taken = alice.calling.call(world.now_ns, 17, [bytes(1_168)], connection=5, metadata=bytes(200))
    world.run()

    assert (taken, len(world.of("alice", PacketReceived))) == (1, 1)
