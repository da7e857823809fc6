"""The process of one service: takes batches from the datapath's threads, answers them, in order.

    datapath thread 0 ──seqpacket──┐
    datapath thread 1 ──seqpacket──┤ poll ── Environment ── ctx.stable in a file
    thread of streams ──seqpacket──┤
                      deadlines ───┘

The last of the sockets is that of the streams, for a service whose manifest declares them.

It ends when the datapath hangs up, when its parent dies, or with its reason as last words.
"""

import gc
import resource
import secrets
import select
import signal
import socket
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from types import FrameType

import msgspec

from ei.cluster.log import Log
from ei.cluster.replica import Replica
from ei.cluster.writes import Rows
from ei.runtime.codec import Codec
from ei.runtime.disk import FolderDisk
from ei.runtime.environment import Environment
from ei.runtime.faults import FaultReporter
from ei.runtime.garbage import collect_seldom
from ei.runtime.limits import EventClock
from ei.runtime.loader import LoadedService, load_service
from ei.runtime.pieces import cut
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.replicated import ReplicatedWorker
from ei.runtime.replication import Replication, boot_s
from ei.runtime.stores import ReplicatedStore, SqliteStore
from ei.sdk import Address

MAX_EVENT_BYTES = 256 * 1024
"""Largest message taken: twice what the datapath sends."""

SOCKET_BYTES = 1024 * 1024
SO_SNDBUFFORCE = 32
"""From linux/socket.h; the socket module lacks it."""

MAX_MEMORY_BYTES = 256 * 1024 * 1024
"""Data of a worker, beside three times what the manifest grants for state in memory."""

MAX_FILES = 64


class WorkerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told when it starts.

    Attributes:
        folder: Of the service.
        node: Address of the node, 16 bytes.
        seed: Of `ctx.random`: 32 bytes of the system, others for each start. Services draw keys.
        store: File of the stable store; its folder exists. Made only if the manifest grants bytes.
            Of a replicated one it is a folder.
        config: Overrides of the manifest's defaults.
        copies: How many members of the cluster must have the stable state; 0 keeps it here alone.
            With copies, the last socket is a stream to the member's daemon.
    """

    folder: str
    node: bytes
    seed: bytes
    store: str
    config: dict[str, object] = {}
    copies: int = 0


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Make the two ends between one datapath thread and one worker.

    Raises:
        OSError: No descriptor is left.
    """
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        try:
            end.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BYTES)
        except PermissionError:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
    return ends


def run_worker(order: WorkerOrder, sockets: Sequence[socket.socket]) -> None:
    """Run a service in this process until the datapath hangs up.

    Args:
        order: What to run.
        sockets: One for each datapath thread, and of the streams.

    Raises:
        EiError: It cannot run, or cannot go on: why.
    """
    loaded = load_service(Path(order.folder))
    _limit_resources(loaded)
    if order.copies:
        _run_replicated(order, loaded, sockets)
        return
    with environment_of(order, loaded, sockets) as environment:
        _ = gc.collect()
        collect_seldom()
        _interrupt_runaways(environment.clock, loaded.manifest.handler_ms / 1_000)
        try:
            serve(environment, sockets, FaultReporter(loaded.manifest.name, sys.stderr))
        finally:
            _ = signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def environment_of(
    order: WorkerOrder, loaded: LoadedService, sockets: Sequence[socket.socket]
) -> Generator[Environment]:
    """Set up the environment of a service whose state is here alone; close its store at the end."""
    stable = None
    if loaded.manifest.stable_bytes:
        stable = SqliteStore(Path(order.store), limit_bytes=loaded.manifest.stable_bytes)
    try:
        yield Environment(
            loaded,
            node=Address(order.node),
            seed=order.seed,
            config=order.config,
            stable=stable,
            streams=len(sockets) - 1,
        )
    finally:
        if stable is not None:
            stable.close()


def _run_replicated(
    order: WorkerOrder, loaded: LoadedService, sockets: Sequence[socket.socket]
) -> None:
    *ends, link = sockets
    node, rows = Address(order.node), Rows()
    disk = FolderDisk(Path(order.store))
    replica = Replica(
        loaded.manifest.id,
        node,
        log=Log(disk, rows),
        copies=order.copies,
        start=secrets.randbelow(2**63 - 1) + 1,
        now_s=boot_s(),
    )
    replication = Replication(replica, link)

    def make(peers: dict[Address, float]) -> Environment:
        stable = ReplicatedStore(rows, replication, limit_bytes=loaded.manifest.stable_bytes)
        environment = Environment(
            loaded,
            node=node,
            # A member that owns the state again counts events anew: nothing is to be drawn twice.
            seed=secrets.token_bytes(SEED_BYTES),
            config=order.config,
            stable=stable,
            peers=peers,
            streams=len(ends) - 1,
        )
        _interrupt_runaways(environment.clock, loaded.manifest.handler_ms / 1_000)
        return environment

    worker = ReplicatedWorker(
        replication,
        ends,
        make=make,
        codec=Codec(loaded.messages),
        reporter=FaultReporter(loaded.manifest.name, sys.stderr),
    )
    _ = gc.collect()
    collect_seldom()
    try:
        worker.serve()
    finally:
        _ = signal.setitimer(signal.ITIMER_PROF, 0)
        disk.close()


def serve(
    environment: Environment, sockets: Sequence[socket.socket], reporter: FaultReporter
) -> None:
    """Answer batches and fire timers until a socket is hung up.

    Raises:
        EiError: It cannot go on: why.
    """
    origins = {end.fileno(): origin for origin, end in enumerate(sockets)}
    poll = select.poll()
    for descriptor in origins:
        poll.register(descriptor, select.POLLIN)
    buffer = memoryview(bytearray(MAX_EVENT_BYTES))
    with suppress(ConnectionError):  # the datapath is gone
        while True:
            for descriptor, _ in poll.poll(_timeout_ms(environment)):
                origin = origins[descriptor]
                received = sockets[origin].recv_into(buffer)
                if not received:
                    return
                _send(sockets[origin], environment.deliver_batch(buffer[:received], origin=origin))
                _send_strays(environment, sockets)
            _fire(environment, sockets)
            if environment.faults.total != reporter.reported:
                reporter.report(environment.faults, time.monotonic())


def _fire(environment: Environment, sockets: Sequence[socket.socket]) -> None:
    """Fire timers that are due."""
    if environment.next_deadline_s() is None:
        return
    now_s = time.monotonic()
    while environment.is_due(now_s):
        reply = environment.fire_due(now_s, time.time())
        if reply is not None:
            _send(sockets[0], reply)
        _send_strays(environment, sockets)


def _send(end: socket.socket, reply: bytes) -> None:
    for message in cut(reply):
        _ = end.send(message)


def _send_strays(environment: Environment, sockets: Sequence[socket.socket]) -> None:
    for origin, stray in environment.take_strays():
        _send(sockets[origin], stray)


def _timeout_ms(environment: Environment) -> int | None:
    deadline_s = environment.next_deadline_s()
    return None if deadline_s is None else max(0, ceil((deadline_s - time.monotonic()) * 1_000))


def _interrupt_runaways(clock: EventClock, limit_s: float) -> None:
    """Tick the clock with each `limit_s` of CPU time that this process spends."""

    def tick(_signal: int, _frame: FrameType | None) -> None:
        clock.tick()

    _ = signal.signal(signal.SIGPROF, tick)
    _ = signal.setitimer(signal.ITIMER_PROF, limit_s, limit_s)


def _limit_resources(loaded: LoadedService) -> None:
    manifest = loaded.manifest
    in_memory = manifest.ephemeral_bytes
    if manifest.state == "replicated":
        in_memory += 2 * manifest.stable_bytes  # the state, and the store on it
    _limit(resource.RLIMIT_DATA, MAX_MEMORY_BYTES + 3 * in_memory)
    _limit(resource.RLIMIT_NOFILE, MAX_FILES)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(what: int, most: int) -> None:
    """Allow `most`, or what the system allows when that is less."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))
