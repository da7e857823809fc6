"""`threads`: whether two datapath threads cost more for each packet than one.

Each thread has a datapath, pipes and packets of its own, as the threads of a node have; packets lie
in memory, so that no core has to make them. A lock, or a cache line that both write, would show.
`python -m ei.bench.threads RUNS THREADS...` measures in a fresh process.
"""

import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from ei._core import Replay
from ei.bench.apart import measured_apart, say
from ei.bench.figures import Figure, figure
from ei.bench.indoors import SEALED_BYTES, Host, Indoors

COUNTS = (1, 2)
RATIO_LIMIT = 1.2
"""Threads share what cores share: caches of the last level, and memory."""
RATE_LIMIT = 0.8
"""Of as many times the rate of one."""
SIZE_BYTES = 512
PACKETS = 64 * 2_000
CONNECTIONS = 1_000


class Run(msgspec.Struct, frozen=True):
    """One run of so many threads at once.

    Attributes:
        cost_ns: CPU time of a packet, in the mean of the threads.
        packets_per_s: Of all, while the slowest worked.
    """

    cost_ns: float
    packets_per_s: float


def threads(*, runs: int) -> Iterator[Figure]:
    """Measure one thread, and as many as there are cores, at most two."""
    cores = len(os.sched_getaffinity(0))
    counts = [count for count in COUNTS if count <= cores]
    found = measured_apart("threads", runs, *counts, of=dict[int, list[Run]])
    yield from sum_up(found, cores=cores)


def sum_up(found: dict[int, list[Run]], *, cores: int) -> Iterator[Figure]:
    """Yield cost and rate of each number of threads, beside those of one."""
    one = found[1]
    one_ns, one_per_s = [run.cost_ns for run in one], [run.packets_per_s for run in one]
    note = f"512 B, packets in memory, a core for each thread of {cores}; without sockets"
    for count, runs in found.items():
        is_one = count == 1
        yield figure(
            f"hit on {count} threads",
            [run.cost_ns for run in runs],
            unit="ns CPU/packet",
            limit=None if is_one else round(RATIO_LIMIT * statistics.median(one_ns), 1),
            baseline=one_ns,
            note=note,
        )
        yield figure(
            f"rate on {count} threads",
            [run.packets_per_s for run in runs],
            unit="packets/s",
            limit=None if is_one else round(RATE_LIMIT * count * statistics.median(one_per_s)),
            is_rate=True,
            baseline=one_per_s,
            note=note,
        )


def measure(counts: Sequence[int], *, runs: int, packets: int = PACKETS) -> dict[int, list[Run]]:
    """Measure in this process, the numbers of threads in turn."""
    lanes = [_Lane() for _ in range(max(counts))]
    for lane in lanes:
        lane.seal(64)
        _ = lane.run()
    found: dict[int, list[Run]] = {count: [] for count in counts}
    for _ in range(runs):
        for count in counts:
            found[count].append(_run(lanes[:count], packets))
    return found


class _Lane:
    """A datapath with its packets, for one thread."""

    def __init__(self) -> None:
        self._indoors = Indoors()
        self._source: Host = self._indoors.join(1)
        self._sink: Host = self._indoors.join(2)
        self._replay = Replay()
        self._indoors.decide(self._source, self._sink, range(CONNECTIONS))

    def seal(self, packets: int) -> None:
        """Seal what the next run hands over."""
        connections = (number % CONNECTIONS for number in range(packets))
        payload = bytes(SIZE_BYTES - SEALED_BYTES)
        self._source.seal(self._replay, self._sink, connections, payload)

    def run(self) -> float:
        """Return the CPU time of a packet."""
        return self._indoors.run(self._replay)


def _run(lanes: Sequence[_Lane], packets: int) -> Run:
    for lane in lanes:
        lane.seal(packets)
    costs: list[float] = []
    ready = threading.Barrier(len(lanes) + 1)

    def work(lane: _Lane, cpu: int) -> None:
        # Where it may not choose, all share what there is.
        with suppress(OSError):
            os.sched_setaffinity(threading.get_native_id(), {cpu})
        _ = ready.wait()
        costs.append(lane.run())

    cpus = sorted(os.sched_getaffinity(0))
    workers = [
        threading.Thread(target=work, args=(lane, cpus[number % len(cpus)]))
        for number, lane in enumerate(lanes)
    ]
    for worker in workers:
        worker.start()
    _ = ready.wait()
    began_s = time.monotonic()
    for worker in workers:
        worker.join()
    took_s = time.monotonic() - began_s
    return Run(statistics.mean(costs), packets * len(lanes) / took_s)


def main(arguments: list[str]) -> None:
    """Measure in this process."""
    runs, *counts = map(int, arguments)
    say(measure(counts, runs=runs))


if __name__ == "__main__":
    main(sys.argv[1:])
