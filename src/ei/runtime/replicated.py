"""The worker of a service whose state has copies: serves while this member owns the state.

    datapath threads ──seqpacket──┐
    the member's daemon ──stream──┤ poll ── Replication ── environment, while it owns the state
                      deadlines ──┘

An environment lives for as long as one ownership. Without one, packets are refused as `not_owner`;
the node sends them to the member that serves.
"""

import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from typing import Protocol

from ei.runtime.batches import PeersMeasured
from ei.runtime.codec import Codec
from ei.runtime.environment import Environment
from ei.runtime.faults import FaultReporter
from ei.runtime.pieces import cut
from ei.runtime.replication import Replication
from ei.sdk import PeerChanged
from ei.sdk.packets import Address

MAX_EVENT_BYTES = 256 * 1024


class Making(Protocol):
    """Makes the environment of one ownership."""

    def __call__(self, peers: dict[Address, float]) -> Environment: ...


class ReplicatedWorker:
    """Serves one service on one member.

    Args:
        replication: Of its state.
        sockets: One for each datapath thread.
        make: Makes an environment on the state as it is.
        codec: For what is refused without an environment.
        reporter: Told of faults.
    """

    def __init__(
        self,
        replication: Replication,
        sockets: Sequence[socket.socket],
        *,
        make: Making,
        codec: Codec,
        reporter: FaultReporter,
    ) -> None:
        self._replication = replication
        self._sockets = sockets
        self._make = make
        self._codec = codec
        self._reporter = reporter
        self._environment: Environment | None = None
        self._epoch = 0
        self._peers: dict[Address, float] = {}
        self._buffer = memoryview(bytearray(MAX_EVENT_BYTES))

    def serve(self) -> None:
        """Serve until a socket is hung up.

        Raises:
            EiError: It cannot go on: why.
        """
        origins = {end.fileno(): origin for origin, end in enumerate(self._sockets)}
        poll = select.poll()
        for descriptor in (*origins, self._replication.fileno()):
            poll.register(descriptor, select.POLLIN)
        with suppress(ConnectionError):  # the datapath or the daemon is gone
            while True:
                for descriptor, _ in poll.poll(self._timeout_ms()):
                    if descriptor in origins and not self._answer(origins[descriptor]):
                        return
                self._replication.turn()
                self._keep_environment()
                self._fire()
                self._report()

    # -- the parts ------------------------------------------------------------------------------

    def _timeout_ms(self) -> int:
        timeout_s = self._replication.timeout_s()
        if self._environment is not None:
            deadline_s = self._environment.next_deadline_s()
            if deadline_s is not None:
                timeout_s = min(timeout_s, max(0.0, deadline_s - time.monotonic()))
        return ceil(timeout_s * 1_000)

    def _answer(self, origin: int) -> bool:
        received = self._sockets[origin].recv_into(self._buffer)
        if not received:
            return False
        batch = self._buffer[:received]
        events = self._codec.events(batch)
        for item in events.items:
            if isinstance(item, PeersMeasured):
                self._peers.update(item.rtts_s)
            elif isinstance(item, PeerChanged) and item.is_up:
                _ = self._peers.setdefault(item.peer, 0.0)
            elif isinstance(item, PeerChanged):
                _ = self._peers.pop(item.peer, None)
        self._keep_environment()
        if self._environment is None:
            self._send(origin, self._codec.refusal(events, "not_owner"))
            return True
        self._send(origin, self._environment.deliver_batch(batch, origin=origin))
        self._send_strays(self._environment.take_strays())
        return True

    def _keep_environment(self) -> None:
        """Have an environment exactly while this member owns the state."""
        replication = self._replication
        is_over = replication.is_in_doubt or replication.epoch != self._epoch
        if self._environment is not None and (is_over or not replication.is_ready):
            given_up, self._environment = self._environment, None
            self._send_strays(given_up.abandon())
        if self._environment is None and replication.is_ready:
            self._epoch = replication.epoch
            replication.is_in_doubt = False
            self._environment = self._make(self._peers)
            self._reporter.reported = 0

    def _fire(self) -> None:
        environment = self._environment
        if environment is None or environment.next_deadline_s() is None:
            return
        now_s = time.monotonic()
        while environment.is_due(now_s):
            reply = environment.fire_due(now_s, time.time())
            if reply is not None:
                self._send(0, reply)
            self._send_strays(environment.take_strays())

    def _report(self) -> None:
        environment = self._environment
        if environment is not None and environment.faults.total != self._reporter.reported:
            self._reporter.report(environment.faults, time.monotonic())

    def _send(self, origin: int, reply: bytes) -> None:
        for message in cut(reply):
            _ = self._sockets[origin].send(message)

    def _send_strays(self, strays: list[tuple[int, bytes]]) -> None:
        for origin, stray in strays:
            self._send(origin, stray)
