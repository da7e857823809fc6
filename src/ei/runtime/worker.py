"""The process of one service: takes batches from the datapath's threads, answers them, in order.

    datapath thread 0 ──seqpacket──┐
    datapath thread 1 ──seqpacket──┤ poll ── Environment ── ctx.stable in a file
    thread of streams ──seqpacket──┤
                      deadlines ───┘

The last of the sockets is that of the streams, for a service whose manifest declares them.

What it needs of the system it opens first; then it closes its jail behind itself, and only then
runs a stranger's code (`ei.runtime.jail`).

It ends when the datapath hangs up, when its parent dies, or with its reason as last words.
"""

import gc
import resource
import secrets
import select
import socket
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import NoReturn

import msgspec

from ei.cluster.log import Log
from ei.cluster.replica import Replica
from ei.cluster.writes import Rows
from ei.errors import ServiceError
from ei.runtime.batches import MAX_BATCH_BYTES
from ei.runtime.codec import Codec
from ei.runtime.cutting import SLACK_S, Cutter
from ei.runtime.disk import FolderDisk
from ei.runtime.environment import Environment
from ei.runtime.faults import FaultReporter
from ei.runtime.garbage import collect_seldom
from ei.runtime.jail import LAYERS, Jail, Layer, check_closed, close_jail
from ei.runtime.jail.clock import BootClock
from ei.runtime.limits import EventClock
from ei.runtime.loader import LoadedService, ReadService, read_service
from ei.runtime.pieces import cut
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.rehearsal import LIMIT_S, rehearse
from ei.runtime.replicated import ReplicatedWorker
from ei.runtime.replication import Replication
from ei.runtime.stores import ReplicatedStore, SqliteStore
from ei.runtime.watching import Watch, Watched
from ei.sdk import Address, Manifest
from ei.sdk.tiers import MIB, TIERS

MAX_EVENT_BYTES = 256 * 1024
"""Largest message taken: twice what the datapath sends."""

SOCKET_BYTES = 1024 * 1024
SO_SNDBUFFORCE = 32
"""From linux/socket.h; the socket module lacks it."""

MAX_FILES = 64

REPLICA_SLACK_S = 0.5
"""In which a replica's log is written anew, all of its state in one call."""


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
        layers: Of its jail.
        is_trusted: Whether it runs as well where one of those layers cannot be had.
        is_watched: Whether it tells what its events cost, on one more socket, the last.
        is_rehearsal: Whether the time is that of the batches, and the limit of an event not the
            manifest's; see `ei.runtime.rehearsal`.
    """

    folder: str
    node: bytes
    seed: bytes
    store: str
    config: dict[str, object] = {}
    copies: int = 0
    layers: tuple[Layer, ...] = LAYERS
    is_trusted: bool = True
    is_watched: bool = False
    is_rehearsal: bool = False


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


def run_worker(
    order: WorkerOrder,
    sockets: Sequence[socket.socket],
    on_jailed: Callable[[Jail], object] = lambda _jail: None,
) -> None:
    """Run a service in this process until the datapath hangs up.

    Args:
        order: What to run.
        sockets: One for each datapath thread, and of the streams.
        on_jailed: Called once nothing of the system is in reach any more, before a stranger's code
            runs.

    Raises:
        EiError: It cannot run, or cannot go on: why.
    """
    read = read_service(Path(order.folder))
    limit_resources(memory_limit_bytes(read.manifest))
    watch: Watch | None = None
    if order.is_watched:
        *sockets, end = sockets
        watch = Watch(end)
    if order.copies:
        _run_replicated(order, read, sockets, on_jailed)
        return
    with store_of(order, read.manifest) as stable:
        cutter, loaded = _close(order, read, on_jailed)
        environment = environment_of(order, loaded, sockets, stable)
        _ = gc.collect()
        collect_seldom()
        cutter.begin(environment.clock)
        if order.is_rehearsal:
            rehearse(environment, sockets)
            return
        if is_ended_by_excess(order):
            environment.clock.exceed = end_by_excess
        reporter = FaultReporter(loaded.manifest.name, sys.stderr)
        serve(environment if watch is None else Watched(environment, watch), sockets, reporter)


def is_ended_by_excess(order: WorkerOrder) -> bool:
    """Whether a worker ends with the first event that takes more than it may.

    A stranger's does: it is started again with back-off, since packets may make it do so for ever,
    and who shares its core would notice. Not while its author looks on.
    """
    return not order.is_trusted and not order.is_watched


def end_by_excess(fault: str) -> NoReturn:
    """End the worker.

    Raises:
        ServiceError: Always; says what it was that took more than it may.
    """
    raise ServiceError(fault)


@contextmanager
def store_of(order: WorkerOrder, manifest: Manifest) -> Generator[SqliteStore | None]:
    """Open the stable store of a service whose state is here alone, if it has one; close it."""
    if not manifest.stable_bytes:
        yield None
        return
    store = SqliteStore(Path(order.store), limit_bytes=manifest.stable_bytes)
    try:
        yield store
    finally:
        store.close()


def environment_of(
    order: WorkerOrder,
    loaded: LoadedService,
    sockets: Sequence[socket.socket],
    stable: SqliteStore | None,
) -> Environment:
    """Set up the environment of a service whose state is here alone."""
    return Environment(
        loaded,
        node=Address(order.node),
        seed=order.seed,
        config=order.config,
        stable=stable,
        streams=len(sockets) - 1,
    )


def _close(
    order: WorkerOrder,
    read: ReadService,
    on_jailed: Callable[[Jail], object],
    folder: Path | None = None,
) -> tuple[Cutter, LoadedService]:
    """Close the jail, then load a stranger's module.

    Raises:
        EiError: A layer is missing that a stranger's module needs, or it does not load.
    """
    read.preload()
    warm(read.manifest.libraries)
    slack_s = SLACK_S if folder is None else REPLICA_SLACK_S
    start_s = TIERS[read.manifest.tier].start_ms / 1_000
    limit_s = LIMIT_S if order.is_rehearsal else read.manifest.handler_ms / 1_000
    cutter = Cutter(limit_s, start_s=start_s, slack_s=slack_s)
    cutter.arm()
    jail = close_jail(order.layers, folder=folder, measures=order.is_watched)
    _ = on_jailed(jail)
    if not order.is_trusted:
        line = f'say so in node.toml: trusted_services = ["{read.manifest.name}"]'
        check_closed(jail, order.folder, trusting=line)
    return cutter, read.load(is_limited="language" in order.layers)


def _run_replicated(
    order: WorkerOrder,
    read: ReadService,
    sockets: Sequence[socket.socket],
    on_jailed: Callable[[Jail], object],
) -> None:
    *ends, link = sockets
    node, rows, clock = Address(order.node), Rows(), BootClock()
    folder = Path(order.store).resolve()  # in the jail there are no links that lead to it
    disk = FolderDisk(folder)
    cutter, loaded = _close(order, read, on_jailed, folder)
    replica = Replica(
        loaded.manifest.id,
        node,
        log=Log(disk, rows),
        copies=order.copies,
        start=secrets.randbelow(2**63 - 1) + 1,
        now_s=clock(),
    )
    replication = Replication(replica, link, clock)

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
        cutter.begin(environment.clock)
        if is_ended_by_excess(order):
            environment.clock.exceed = end_by_excess
        return environment

    worker = ReplicatedWorker(
        replication,
        ends,
        make=make,
        codec=Codec(loaded.messages),
        reporter=FaultReporter(loaded.manifest.name, sys.stderr),
    )
    cutter.begin(EventClock())
    _ = gc.collect()
    collect_seldom()
    try:
        worker.serve()
    finally:
        disk.close()


def serve(
    environment: Environment | Watched, sockets: Sequence[socket.socket], reporter: FaultReporter
) -> None:
    """Answer batches and fire timers until a socket is hung up.

    Raises:
        EiError: It cannot go on: why.
    """
    ends = {end.fileno(): (origin, end) for origin, end in enumerate(sockets)}
    poll = select.poll()
    for descriptor in ends:
        poll.register(descriptor, select.POLLIN)
    buffer = memoryview(bytearray(MAX_EVENT_BYTES))
    faults = environment.faults
    # A socket that is alone, with nothing due, is waited for in `recv_into`: a packet that comes by
    # itself finds a poll's code and its lists long out of the caches. Strays go to other sockets.
    alone = [(sockets[0].fileno(), select.POLLIN)] if len(sockets) == 1 else []
    deadline_s = environment.next_deadline_s()
    with suppress(ConnectionError):  # the datapath is gone
        while True:
            is_asleep = alone and deadline_s is None
            for descriptor, _ in alone if is_asleep else poll.poll(_timeout_ms(deadline_s)):
                origin, end = ends[descriptor]
                received = end.recv_into(buffer)
                if not received:
                    return
                _send(end, environment.deliver_batch(buffer[:received], origin=origin))
                if not alone:
                    _send_strays(environment, sockets)
            deadline_s = _fire(environment, sockets)
            if faults.total != reporter.reported:
                reporter.report(faults, time.monotonic())


def _fire(environment: Environment | Watched, sockets: Sequence[socket.socket]) -> float | None:
    """Fire timers that are due; return when the next will be, `None` for never."""
    deadline_s = environment.next_deadline_s()
    if deadline_s is None:
        return None
    now_s = time.monotonic()
    while environment.is_due(now_s):
        reply = environment.fire_due(now_s, time.time())
        if reply is not None:
            _send(sockets[0], reply)
        _send_strays(environment, sockets)
    return environment.next_deadline_s()


def _send(end: socket.socket, reply: bytes) -> None:
    if len(reply) <= MAX_BATCH_BYTES:  # nearly all
        _ = end.send(reply)
        return
    for message in cut(reply):
        _ = end.send(message)


def _send_strays(environment: Environment | Watched, sockets: Sequence[socket.socket]) -> None:
    for origin, stray in environment.take_strays():
        _send(sockets[origin], stray)


def _timeout_ms(deadline_s: float | None) -> int | None:
    return None if deadline_s is None else max(0, ceil((deadline_s - time.monotonic()) * 1_000))


def warm(libraries: tuple[str, ...]) -> None:
    """Let libraries read now what they read once: OpenSSL the processor's counter, for its seed."""
    if "cryptography" in libraries:
        from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415 if at all
            X25519PrivateKey,
        )

        _ = X25519PrivateKey.generate()


def memory_limit_bytes(manifest: Manifest) -> int:
    """Return how much memory the worker of a service may have."""
    in_memory = manifest.ephemeral_bytes
    if manifest.state == "replicated":
        in_memory += 2 * manifest.stable_bytes  # the state, and the store on it
    return TIERS[manifest.tier].memory_mib * MIB + 3 * in_memory


def limit_resources(memory_bytes: int) -> None:
    """Bound the memory of this process, and its open files; no image of it is left when it dies."""
    _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_NOFILE, MAX_FILES)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(what: int, most: int) -> None:
    """Allow `most`, or what the system allows when that is less."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))
