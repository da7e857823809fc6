"""How many misses a second does one worker answer?

Run: python tests/runtime/throughput.py

The environment alone (bytes in, bytes out), and a worker process behind its sequenced socket; each
as the best and the median of its rounds, in CPU time, so that what else the machine does matters
less. One `InstallDecision` and one `SendPacket` for each miss, 512 B.
"""

import os
import statistics
import sys
import time  # noqa: TID251 it measures
from collections.abc import Callable
from pathlib import Path

import msgspec

from ei.runtime.batches import EventBatch, PeersMeasured
from ei.runtime.environment import Environment
from ei.runtime.loader import find_services, load_service
from ei.runtime.nursery import Nursery, WorkerStarted
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk import Address, Connection, Packet, PacketArrived, Started

NODE, ALICE, BOB = (Address(letter * 16) for letter in (b"n", b"a", b"b"))
ROUNDS = 7
BATCHES = 200


def batches(items: int) -> list[bytes]:
    """Make batches of misses of `items` connections each, from alice to bob."""
    return [
        msgspec.msgpack.encode(
            EventBatch(
                number,
                0,
                100.0,
                1e9,
                tuple(
                    PacketArrived(
                        Packet(16, ALICE, ALICE, Connection(number * 64 + i), BOB, bytes(512))
                    )
                    for i in range(items)
                ),
            )
        )
        for number in range(1, BATCHES * 64 // items + 1)
    ]


def first() -> bytes:
    """Make the batch that starts a worker: both hosts are there."""
    return msgspec.msgpack.encode(
        EventBatch(0, 0, 100.0, 1e9, (Started(), PeersMeasured({ALICE: 0.1, BOB: 0.1})))
    )


def alone(items: int) -> list[float]:
    """Measure the environment: microseconds of CPU per miss, by round."""
    environment = Environment(load_service("delivery"), node=NODE, seed=1)
    _ = environment.deliver_batch(first())
    work = batches(items)

    def round_of() -> float:
        began_s = time.process_time()
        for batch in work:
            _ = environment.deliver_batch(batch)
        return time.process_time() - began_s

    return measured(round_of)


def behind_its_socket(nursery: Nursery, items: int) -> list[float]:
    """Measure a worker process: microseconds of its CPU per miss, by round."""
    ours, theirs = socket_pair()
    order = WorkerOrder(folder=str(find_services()["delivery"]), node=NODE, seed=1, store="")
    nursery.start_worker(16, order, [theirs])
    theirs.close()
    _ = ours.send(first())
    _ = ours.recv(1 << 20)
    pid = next(each.pid for each in nursery.take_reports() if isinstance(each, WorkerStarted))
    work = batches(items)

    def round_of() -> float:
        began_s = cpu_s(pid)
        for number, batch in enumerate(work):
            _ = ours.send(batch)
            if number:  # two on their way, as the datapath keeps it
                _ = ours.recv(1 << 20)
        _ = ours.recv(1 << 20)
        return cpu_s(pid) - began_s

    figures = measured(round_of)
    ours.close()
    return figures


def measured(round_of: Callable[[], float]) -> list[float]:
    """Return the microseconds per miss of each round, after one that does not count."""
    _ = round_of()
    return [round_of() / (BATCHES * 64) * 1e6 for _ in range(ROUNDS)]


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, from its scheduler's books in nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def show(name: str, figures: list[float]) -> None:
    """Print one row."""
    best, middle = min(figures), statistics.median(figures)
    row = f"{name:32} {best:6.2f} us best {middle:6.2f} us median {1e6 / middle:9,.0f} misses/s\n"
    _ = sys.stdout.write(row)


if __name__ == "__main__":
    hold = Nursery.start()
    _ = sys.stdout.write(f"pid {os.getpid()}, {ROUNDS} rounds of {BATCHES * 64} misses\n")
    for count in (64, 8, 1):
        show(f"environment, batches of {count}", alone(count))
    for count in (64, 8, 1):
        show(f"worker, batches of {count}", behind_its_socket(hold, count))
    hold.close()
