"""`pipes`: what a hit costs when few pipes are in use, and many, and what an idle one takes.

Packets come singly, each by another pipe than the one before, and leave by a third. `python -m
ei.bench.pipes RUNS COUNT...` measures in a fresh process.
"""

import random
import sys
from collections.abc import Iterator, Sequence

from ei._core import Replay
from ei.bench.apart import measured_apart, memory_bytes, say
from ei.bench.figures import Figure, figure
from ei.bench.growth import Growth, figures_of, in_turn
from ei.bench.indoors import AT_ONCE, SEALED_BYTES, Host, Indoors

COUNTS = (2, 10, 100, 1_000, 10_000, 100_000)
FEW, MANY = 10, 100_000
RATIO_LIMIT = 2.0
MEMORY_LIMIT_BYTES = 2_048.0
SIZE_BYTES = 512
PACKETS = 20_000
"""Of a run, at least; or one by each pipe."""
IDLE = 20_000
"""Pipes whose memory is measured: they have never carried anything but their handshake. So many
that the last block of a table, which is not full, weighs little: it has 8,192 places."""

CONNECTION = 1
NOTE = "512 B, each packet by another pipe, 100,000 are up; without sockets"


def pipes(*, runs: int) -> Iterator[Figure]:
    """Measure up to a hundred thousand pipes of one node; their handshakes take a minute."""
    found = measured_apart("pipes", runs, *COUNTS, of=Growth)
    yield from sum_up(found, few=FEW, many=MANY)


def sum_up(found: Growth, *, few: int, many: int) -> Iterator[Figure]:
    """Yield the cost of each number, and the memory of one pipe."""
    yield from figures_of(
        found.cost_ns, "hit with {} pipes in use", few=few, many=many, ratio=RATIO_LIMIT, note=NOTE
    )
    yield figure(
        "memory per idle pipe",
        [found.memory_bytes],
        unit="bytes",
        limit=MEMORY_LIMIT_BYTES,
        note="replay window of 2,048; a host's, after its handshake",
    )


def measure(
    counts: Sequence[int], *, runs: int, packets: int = PACKETS, idle: int = IDLE
) -> Growth:
    """Measure in this process. All pipes are up all the time.

    Hosts seal all that they ever send when they join, and go: their memory is not the node's.
    """
    memory = idle_bytes(idle)
    chance = random.Random(1)
    indoors = Indoors(cache_entries=2 * max(counts))
    # In the order of their use: a counter that lies far behind is taken for a replay.
    waiting = [(count, Replay()) for _ in range(runs + 1) for count in counts]
    undecided: list[Replay] = []
    for number in range(0, max(counts), 2):
        pair = indoors.join(number), indoors.join(number + 1)
        if number % AT_ONCE == 0:
            undecided.append(Replay())
        for host, to in (pair, pair[::-1]):
            _seal(host, to, undecided[-1], 1)
            for count, replay in waiting:
                if number < count:
                    _seal(host, to, replay, each_of(count, packets))
    # Whoever joins ends decisions of some others.
    for replay in undecided:
        _ = replay.run(indoors.node, indoors.now_ns)
        indoors.serve()

    def run(count: int) -> float:
        order = by_turns(count, each_of(count, packets), chance)
        return indoors.run(waiting.pop(0)[1], order=order)

    return Growth(in_turn(run, counts, runs=runs), memory)


def each_of(pipes: int, packets: int) -> int:
    """Return how many packets come by each pipe in a run."""
    return max(1, packets // pipes)


def by_turns(pipes: int, each: int, chance: random.Random) -> list[int]:
    """Return the places of packets that lie pipe by pipe, so that all pipes have turns."""
    order: list[int] = []
    for turn in range(each):
        whose = list(range(pipes))
        chance.shuffle(whose)
        order += [each * pipe + turn for pipe in whose]
    return order


def idle_bytes(count: int) -> float:
    """Return the memory that a pipe takes which carried nothing yet."""
    indoors = Indoors(cache_entries=0)
    number = 0
    # What Python and the allocator need for the first few is no pipe's.
    for number in range(count // 4):
        _ = indoors.join(number)
    before_bytes = memory_bytes()
    for other in range(number + 1, number + 1 + count):
        _ = indoors.join(other)
    return (memory_bytes() - before_bytes) / count


def _seal(host: Host, to: Host, replay: Replay, each: int) -> None:
    for _ in range(each):
        host.seal(replay, to, [CONNECTION], bytes(SIZE_BYTES - SEALED_BYTES))


def main(arguments: list[str]) -> None:
    """Measure in this process."""
    runs, *counts = map(int, arguments)
    say(measure(counts, runs=runs))


if __name__ == "__main__":
    main(sys.argv[1:])
