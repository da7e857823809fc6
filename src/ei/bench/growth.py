"""How the cost of a packet grows with what a node holds: a figure of each number."""

import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ei.bench.figures import Figure, figure


class Growth(msgspec.Struct, frozen=True):
    """What was measured of each number.

    Attributes:
        cost_ns: By number, of each run.
        memory_bytes: Of one.
    """

    cost_ns: dict[int, list[float]]
    memory_bytes: float


def in_turn(
    run: Callable[[int], float], counts: Sequence[int], *, runs: int
) -> dict[int, list[float]]:
    """Measure every number in turn, `runs` times after one that is not counted."""
    found: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(runs + 1):
        for count in counts:
            found[count].append(run(count))
    return {count: costs[1:] for count, costs in found.items()}


def figures_of(  # noqa: PLR0913 what rows of a table have in common
    cost_ns: Mapping[int, Sequence[float]], name: str, *,
    few: int, many: int, ratio: float | None, note: str,
) -> list[Figure]:  # fmt: skip
    """Return the figure of each number, beside that of a few.

    Args:
        name: With a place for the number: `hit with {} pipes`.
        ratio: Most that many may cost, of what few do.
    """
    base = cost_ns[few]
    limit = None if ratio is None else round(ratio * statistics.median(base), 1)
    return [
        figure(
            name.format(f"{count:,}"),
            runs,
            unit="ns CPU/packet",
            limit=limit if count == many else None,
            baseline=base,
            note=f"{note}; baseline: {few:,}",
        )
        for count, runs in cost_ns.items()
    ]
