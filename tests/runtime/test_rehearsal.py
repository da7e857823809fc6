import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from ei.runtime.batches import EffectBatch, EventBatch, PeersMeasured
from ei.runtime.environment import Environment
from ei.runtime.rehearsal import STATE_BYTES, rehearse, replies_to
from ei.runtime.worker import socket_pair
from ei.sdk import Address, Context, Count, DropPacket, Effect, PacketArrived, SetTimer, TimerFired
from ei.testing.toys import toy, toy_packet

NODE = Address(b"n" * 16)
TIME = PeersMeasured({})


def arms(event: PacketArrived, _ctx: Context[Any]) -> Iterator[Effect]:
    yield SetTimer(event.packet.payload, 5.0)
    yield DropPacket("unwanted")


def counts(_event: TimerFired, _ctx: Context[Any]) -> Iterator[Effect]:
    yield Count("seen")


def environment() -> Environment:
    return Environment(toy(on_packet=arms, on_timer=counts), node=NODE, seed=b"1", streams=0)


def batch(sequence: int, now_s: float, item: PacketArrived | PeersMeasured) -> bytes:
    return msgspec.msgpack.encode(EventBatch(sequence, 0, now_s, 1e9 + now_s, (item,)))


def test_what_is_due_follows_the_batch_that_brings_the_time() -> None:
    some = environment()

    replies = [
        replies_to(some, batch(1, 10.0, toy_packet(payload=b"t")), origin=0),
        replies_to(some, batch(2, 14.9, TIME), origin=0),
        replies_to(some, batch(3, 15.0, TIME), origin=0),
    ]

    sequences = [
        [msgspec.msgpack.decode(reply, type=EffectBatch).sequence for _, reply in each]
        for each in replies
    ]
    assert sequences == [[1], [2], [3, 0]]


def test_a_rehearsal_answers_as_the_environment_does_and_ends_with_the_state() -> None:
    ours, theirs = socket_pair()
    rehearsing = threading.Thread(target=rehearse, args=(environment(), [theirs]))
    rehearsing.start()
    alike, expected, said = environment(), [], []
    with ours, theirs:
        for each in (batch(1, 10.0, toy_packet(payload=b"t")), batch(2, 15.0, TIME)):
            _ = ours.send(each)
            for _, reply in replies_to(alike, each, origin=0):
                expected.append(reply)
                said.append(ours.recv(1 << 18))
        ours.shutdown(socket.SHUT_WR)
        state = ours.recv(1 << 18)
        rehearsing.join()

    assert said == expected
    assert state.decode() == alike.state_digest()
    assert len(state) == STATE_BYTES
