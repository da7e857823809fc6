"""What a watched worker tells, and that who does not listen costs it nothing."""

import socket
from collections.abc import Generator

import msgspec
import pytest

from ei.runtime.batches import EffectBatch, EventBatch
from ei.runtime.environment import Environment
from ei.runtime.watching import TOLD, Begun, Handled, Watch, Watched
from ei.sdk import Address, Context, Count, DropPacket, PacketArrived, SetTimer, Started
from ei.testing.toys import toy, toy_packet

NODE = Address(b"n" * 16)
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Generator[Ends]:
    """The node's end and the worker's."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield pair
    for end in pair:
        end.close()


def watched(ends: Ends) -> Watched:
    def on_packet(event: PacketArrived, _: Context[None]) -> object:
        yield Count("seen")
        yield SetTimer(b"t", 1.0)
        if event.packet.payload == b"raise":
            raise ValueError("on purpose")
        yield DropPacket("unwanted")

    environment = Environment(toy(on_packet=on_packet), node=NODE, seed=b"1")
    return Watched(environment, Watch(ends[1]))


def batch(*payloads: bytes) -> bytes:
    packets = (toy_packet(payload=payload) for payload in payloads)
    return msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, (Started(), *packets)))


def told(end: socket.socket) -> list[Begun | Handled]:
    found: list[Begun | Handled] = []
    end.settimeout(0)
    while True:
        try:
            found.append(TOLD.decode(end.recv(65_536)))
        except BlockingIOError:
            return found


def test_what_events_cost_and_came_to_is_told(ends: Ends) -> None:
    environment = watched(ends)

    reply = environment.deliver_batch(batch(b"", b"raise"))

    begun, handled = told(ends[0])
    assert begun == Begun(("Started", "PacketArrived", "PacketArrived"))
    assert isinstance(handled, Handled)
    assert handled.effects == 1
    assert handled.dropped == ("unwanted", "service_error")
    assert [fault.cause for fault in handled.faults] == ["ValueError: on purpose"]
    assert handled.cpu_ns > 0
    assert handled.memory_bytes > 1_000_000
    assert len(handled.connections) == 2
    assert len(msgspec.msgpack.decode(reply, type=EffectBatch).answers) == 3


def test_timers_are_told_too(ends: Ends) -> None:
    environment = watched(ends)
    _ = environment.deliver_batch(batch(b""))
    assert environment.next_deadline_s() == 2.0
    assert environment.is_due(2.0)

    _ = environment.fire_due(2.0, 1e9)

    assert [each.events for each in told(ends[0])[2:]] == [("TimerFired",)] * 2
    assert environment.faults.total == 0


def test_who_does_not_listen_is_not_waited_for_and_hears_how_much_it_missed(ends: Ends) -> None:
    environment = watched(ends)
    for _ in range(2_000):
        _ = environment.deliver_batch(batch(b""))

    heard = told(ends[0])
    _ = environment.deliver_batch(batch(b""))

    assert len(heard) < 4_000
    _, handled = told(ends[0])
    assert isinstance(handled, Handled)
    assert len(heard) + handled.skipped == 4_000


def test_nobody_there_is_no_error(ends: Ends) -> None:
    environment = watched(ends)
    ends[0].close()

    assert environment.deliver_batch(batch(b""))
