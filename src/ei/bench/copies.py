"""`copies`: what each copy costs when a packet goes to one host, and when it goes to a thousand.

`python -m ei.bench.copies RUNS COUNT...` measures in a fresh process.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import repeat

from ei._core import Replay
from ei.bench.apart import measured_apart, say
from ei.bench.figures import Figure
from ei.bench.growth import figures_of, in_turn
from ei.bench.indoors import AT_ONCE, SEALED_BYTES, Indoors

COUNTS = (1, 4, 16, 64, 250, 1_000)
FEW = 1
SIZE_BYTES = 512
COPIES = 64 * 500
"""Of a run, at least; or a train of packets."""
CONNECTION = 1
NOTE = "512 B, to hosts of one node, without sockets"


def copies(*, runs: int) -> Iterator[Figure]:
    """Measure up to a thousand copies of each packet."""
    found = measured_apart("copies", runs, *COUNTS, of=dict[int, list[float]])
    yield from figures_of(
        found, "fanout {}, per copy, without sockets", few=FEW, many=0, ratio=None, note=NOTE
    )


def measure(counts: Sequence[int], *, runs: int, least: int = COPIES) -> dict[int, list[float]]:
    """Measure in this process."""
    indoors = Indoors()
    source, *_ = [indoors.join(number) for number in range(max(counts) + 1)]
    for count in counts:
        indoors.decide(source, count, [CONNECTION])
    payload = bytes(SIZE_BYTES - SEALED_BYTES)

    def run(count: int) -> float:
        replay = Replay()
        packets = max(AT_ONCE, least // count)
        source.seal(replay, count, repeat(CONNECTION, packets), payload)
        return indoors.run(replay) / count

    return in_turn(run, counts, runs=runs)


def main(arguments: list[str]) -> None:
    """Measure in this process."""
    runs, *counts = map(int, arguments)
    say(measure(counts, runs=runs))


if __name__ == "__main__":
    main(sys.argv[1:])
