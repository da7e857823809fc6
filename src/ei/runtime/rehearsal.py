"""A worker whose time is that of its batches: the same batches, the same answers, on any machine.

What fires by itself fires after the first batch that is late enough. So a recorded history can be
played to an environment in this process and to a worker in its jail, byte for byte.
"""

import select
import socket
from collections.abc import Sequence

import msgspec

from ei.runtime.environment import Environment
from ei.runtime.pieces import cut

LIMIT_S = 1.0
"""Of CPU time for one event: for what never ends. What a manifest's limit ends depends on the
machine."""

MAX_EVENT_BYTES = 256 * 1024
STATE_BYTES = 64
"""Of the last message, which says the digest of the state."""

Reply = tuple[int, bytes]
"""An `EffectBatch`, with the origin that it goes to."""


class _Times(msgspec.Struct, frozen=True, array_like=True):
    """The head of an `EventBatch`."""

    sequence: int
    epoch: int
    now_s: float
    unix_s: float


_TIMES = msgspec.msgpack.Decoder(_Times)


def rehearse(environment: Environment, sockets: Sequence[socket.socket]) -> None:
    """Answer batches until one of the sockets brings no more; then say the state, on the first."""
    origins = {end.fileno(): origin for origin, end in enumerate(sockets)}
    poll = select.poll()
    for descriptor in origins:
        poll.register(descriptor, select.POLLIN)
    buffer = memoryview(bytearray(MAX_EVENT_BYTES))
    while True:
        for descriptor, _ in poll.poll():
            origin = origins[descriptor]
            received = sockets[origin].recv_into(buffer)
            if not received:
                _ = sockets[0].send(environment.state_digest().encode())
                return
            for to, reply in replies_to(environment, bytes(buffer[:received]), origin=origin):
                for message in cut(reply):
                    _ = sockets[to].send(message)


def replies_to(environment: Environment, batch: bytes, *, origin: int) -> list[Reply]:
    """Return all that a batch leads to, in the order in which it is said.

    Args:
        environment: Of the service.
        batch: An `EventBatch`. What is due by its time follows it.
        origin: Where it comes from.

    Raises:
        LocalError: It is no `EventBatch`. Nothing was changed.
    """
    replies = [(origin, environment.deliver_batch(batch, origin=origin))]
    replies += environment.take_strays()
    times = _TIMES.decode(batch)
    while environment.is_due(times.now_s):
        reply = environment.fire_due(times.now_s, times.unix_s)
        replies += [] if reply is None else [(0, reply)]
        replies += environment.take_strays()
    return replies
