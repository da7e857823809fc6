"""`ei module bench`: how many packets a second a module decides, in its jail and without one.

    this process ══ a socket of batches ══ worker in its jail
                 ══ another ══════════════ worker without

Both run for as long as it takes, each in its turn, and the socket is never empty.
"""

import select
import socket
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ei.bench.figures import Figure, figure
from ei.errors import LocalError
from ei.runtime.batches import MAX_BATCH_ITEMS, EffectBatch, EventBatch
from ei.runtime.children import WorkerExited, WorkerJailed
from ei.runtime.jail import LAYERS, Layer
from ei.runtime.nursery import Nursery
from ei.runtime.worker import MAX_EVENT_BYTES, WorkerOrder, socket_pair
from ei.sdk import Address, Connection, Packet, PacketArrived, PeerChanged, load_manifest

MODULES = Path(__file__).parent / "modules"
EXAMPLES = (MODULES / "filter", MODULES / "filter_wasm")
"""One and the same, in Python and in WebAssembly."""

JAIL_LIMIT_PERCENT = 25.0
PAYLOAD_BYTES = 512
BATCHES = 64
AHEAD = 4
"""Batches that are under way."""

RUN_S = 0.5
START_S = 10.0
"""Until a worker is there, at most; and for an answer."""

NODE, ALICE, BOB = (
    Address(bytes.fromhex("fd3500000001") + name.rjust(10, b"\0"))
    for name in (b"node", b"alice", b"bob")
)
FAULTS = frozenset({"service_error", "cpu_exceeded", "no_answer", "store_failed"})


@dataclass(frozen=True, slots=True)
class Fed:
    """A worker, and what it is fed with."""

    name: str
    end: socket.socket
    batches: Iterator[bytes]

    def run(self, seconds: float) -> float:
        """Keep it busy for so long; return how many packets it decided a second.

        Raises:
            LocalError: It ended, or does not answer.
        """
        for _ in range(AHEAD):
            self._send()
        began_s = now_s = time.monotonic()
        decided = 0
        while now_s - began_s < seconds:
            _ = self._answer()
            self._send()
            decided += MAX_BATCH_ITEMS
            now_s = time.monotonic()
        for _ in range(AHEAD):
            _ = self._answer()
        return decided / (now_s - began_s)

    def begin(self) -> None:
        """Tell it who is there, let it decide some packets, and look at the answers.

        Raises:
            LocalError: One of them is a fault.
        """
        _ = self.end.send(_batch(PeerChanged(ALICE, is_up=True), PeerChanged(BOB, is_up=True)))
        _ = self._answer()
        self._send()
        batch = msgspec.msgpack.decode(self._answer(), type=EffectBatch)
        faults = sorted({answer.reason for answer in batch.answers} & FAULTS)
        if faults:
            raise LocalError(
                f"{self.name} answers a packet of {PAYLOAD_BYTES} B, whose metadata is the address"
                f" of a peer, by {', '.join(faults)}: that is no figure"
            )

    def _send(self) -> None:
        _ = self.end.send(next(self.batches))

    def _answer(self) -> bytes:
        """Return the next batch of effects that answers one of events."""
        while True:
            try:
                message = self.end.recv(MAX_EVENT_BYTES)
            except OSError as error:
                raise LocalError(f"{self.name}: no answer: {error}") from error
            if not message:
                raise LocalError(f"{self.name}: its worker ended")
            if message[1]:  # the number of the batch that it answers; 0 of timers
                return message


def module(folders: Sequence[Path], *, runs: int, seconds: float = RUN_S) -> Iterator[Figure]:
    """Measure modules, each with a worker in its jail and one without, in turns.

    Args:
        folders: Of modules.
        runs: Of each worker.
        seconds: Of each run.

    Raises:
        LocalError: A module does not run.
    """
    with ExitStack() as stack:
        nursery = Nursery.start()
        _ = stack.callback(nursery.close)
        pairs = [
            tuple(stack.enter_context(fed(nursery, folder, layers)) for layers in (LAYERS, ()))
            for folder in folders
        ]
        rates: list[tuple[list[float], list[float]]] = [([], []) for _ in pairs]
        for _ in range(runs):
            for (jailed, free), (in_jail, without) in zip(pairs, rates, strict=True):
                in_jail.append(jailed.run(seconds))
                without.append(free.run(seconds))
    for (jailed, _), (in_jail, without) in zip(pairs, rates, strict=True):
        yield figure(
            f"{jailed.name}, packets decided in its jail",
            in_jail,
            unit="packets/s",
            is_rate=True,
            baseline=without,
            note=f"{PAYLOAD_BYTES} B, each of a new connection; baseline: without a jail",
        )
        yield figure(
            f"{jailed.name}, its jail costs",
            [100 * (free / kept - 1) for kept, free in zip(in_jail, without, strict=True)],
            unit="%",
            limit=JAIL_LIMIT_PERCENT,
            note="of the time for a packet",
        )


@contextmanager
def fed(nursery: Nursery, folder: Path, layers: tuple[Layer, ...] = LAYERS) -> Generator[Fed]:
    """Run a module in a worker until the block ends.

    Args:
        nursery: Forks it.
        folder: Of the module.
        layers: Of its jail.

    Raises:
        LocalError: It does not start, or not answer; why.
    """
    manifest = load_manifest(folder)
    name = f"{manifest.name} ({manifest.engine})"
    ours, theirs = socket_pair()
    with TemporaryDirectory(prefix="ei-") as store, ours:
        order = WorkerOrder(
            folder=str(folder.resolve()),
            node=NODE,
            seed=bytes(32),
            store=str(Path(store) / "store"),
            layers=layers,
        )
        with theirs:
            nursery.start_worker(manifest.id, order, [theirs])
        ours.settimeout(START_S)
        _wait(nursery, name)
        worker = Fed(name, ours, cycle(_batches(manifest.id)))
        worker.begin()
        yield worker


def _wait(nursery: Nursery, name: str) -> None:
    """Wait until a worker has closed its jail."""
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        _ = select.select([nursery], [], [], START_S)
        for report in nursery.take_reports():
            if isinstance(report, WorkerExited):
                raise LocalError(f"{name}: {report.cause}")
            if isinstance(report, WorkerJailed):
                return
    raise LocalError(f"{name}: no worker within {START_S:g} s")


def _batches(service: int) -> list[bytes]:
    """Make batches of packets, each of a connection of its own."""
    payload = bytes(PAYLOAD_BYTES)
    return [
        _batch(
            *(
                PacketArrived(Packet(service, ALICE, ALICE, Connection(connection), BOB, payload))
                for connection in range(first, first + MAX_BATCH_ITEMS)
            )
        )
        for first in range(1, BATCHES * MAX_BATCH_ITEMS, MAX_BATCH_ITEMS)
    ]


def _batch(*items: PacketArrived | PeerChanged) -> bytes:
    now_s = time.monotonic()
    return msgspec.msgpack.encode(EventBatch(1, 0, now_s, time.time(), items))
