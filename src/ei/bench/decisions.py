"""`decisions`: what a hit costs when one decision is in use, and when a million are.

`python -m ei.bench.decisions RUNS COUNT...` measures in a fresh process.
"""

import random
import sys
from collections.abc import Iterator, Sequence

from ei._core import Replay
from ei.bench.apart import measured_apart, memory_bytes, say
from ei.bench.figures import Figure, figure
from ei.bench.growth import Growth, figures_of, in_turn
from ei.bench.indoors import SEALED_BYTES, Indoors

COUNTS = (1, 10, 100, 1_000, 8_000, 64_000, 250_000, 1_000_000)
FEW, MANY = 1_000, 1_000_000
RATIO_LIMIT = 1.7
MEMORY_LIMIT_BYTES = 192.0
SIZE_BYTES = 512
PACKETS = 64 * 800
NOTE = "512 B, trains of random connections, a million decisions in the cache; without sockets"


def decisions(*, runs: int) -> Iterator[Figure]:
    """Measure up to a million decisions of one node."""
    found = measured_apart("decisions", runs, *COUNTS, of=Growth)
    yield from sum_up(found, few=FEW, many=MANY)


def sum_up(found: Growth, *, few: int, many: int) -> Iterator[Figure]:
    """Yield the cost of each number, and the memory of one."""
    yield from figures_of(
        found.cost_ns,
        "hit with {} decisions in use",
        few=few,
        many=many,
        ratio=RATIO_LIMIT,
        note=NOTE,
    )
    yield figure(
        "memory per decision", [found.memory_bytes], unit="bytes", limit=MEMORY_LIMIT_BYTES
    )


def measure(counts: Sequence[int], *, runs: int, packets: int = PACKETS) -> Growth:
    """Measure in this process. The cache holds as many as the highest number says, all the time."""
    chance = random.Random(1)
    indoors = Indoors(cache_entries=max(counts))
    source, sink = indoors.join(1), indoors.join(2)
    before_bytes = memory_bytes()
    indoors.decide(source, sink, range(max(counts)))
    grown_bytes = memory_bytes() - before_bytes
    payload = bytes(SIZE_BYTES - SEALED_BYTES)

    def run(count: int) -> float:
        replay = Replay()
        source.seal(replay, sink, [chance.randrange(count) for _ in range(packets)], payload)
        return indoors.run(replay)

    return Growth(in_turn(run, counts, runs=runs), grown_bytes / max(counts))


def main(arguments: list[str]) -> None:
    """Measure in this process."""
    runs, *counts = map(int, arguments)
    say(measure(counts, runs=runs))


if __name__ == "__main__":
    main(sys.argv[1:])
