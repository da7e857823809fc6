"""`services`: what 1,000 packets, or streams, of each service cost a node, beside delivery."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ei.bench.apart import measured_apart
from ei.bench.exercises import PACKETS, STREAMS
from ei.bench.figures import Figure, figure
from ei.bench.service_costs import Cost
from ei.runtime.loader import find_services

PLAIN = "delivery"
"""The service that does least of all that hosts need."""
CPU, KEPT = "µs CPU/1,000", "bytes/1,000"
NOTE = "datapath and service in one process, without sockets"


def services(*, runs: int) -> Iterator[Figure]:
    """Measure all services of this version, in turn; each run in a process of its own."""
    names = sorted(find_services())
    yield from untold(names)
    yield from services_of([name for name in names if name in PACKETS or name in STREAMS], runs)


def untold(names: Iterable[str]) -> Iterator[Figure]:
    """Return figures that are none, for services of which nobody said what they do."""
    for name in names:
        if name not in PACKETS and name not in STREAMS:
            reason = "nobody said in ei/bench/exercises.py what it does"
            yield figure(name, [], unit=CPU, invalid=reason)


def services_of(names: Sequence[str], runs: int) -> Iterator[Figure]:
    """Measure some services; delivery's are the baseline of those of packets."""
    found: dict[str, list[list[Cost]]] = {name: [] for name in (PLAIN, *names)}
    for _ in range(runs):
        for name, each in found.items():
            each.append(run_costs(name))
    plain = _by_work(found[PLAIN])
    for name in names:
        for work, costs in _by_work(found[name]).items():
            yield from figures_of(name, work, costs, () if name == PLAIN else plain.get(work, ()))


def figures_of(
    name: str, work: str, costs: Sequence[Cost], plain: Sequence[Cost]
) -> Iterator[Figure]:
    """Sum up the runs of one kind of work.

    Args:
        plain: Of the same work of delivery; of streams it has none.
    """
    note = f"{NOTE}; baseline: {PLAIN}" if plain else NOTE
    yield figure(
        f"{name} {work}",
        [cost.cpu_us for cost in costs],
        unit=CPU,
        baseline=[cost.cpu_us for cost in plain],
        note=note,
    )
    yield figure(
        f"{name} {work}, kept",
        [cost.kept_bytes for cost in costs],
        unit=KEPT,
        baseline=[cost.kept_bytes for cost in plain],
        note=note,
    )


def run_costs(service: str) -> list[Cost]:
    """Measure one service in a process of its own.

    Raises:
        LocalError: it failed; with what it said last.
    """
    return measured_apart("service_costs", service, of=list[Cost])


def _by_work(runs: Sequence[Sequence[Cost]]) -> Mapping[str, list[Cost]]:
    by_work: dict[str, list[Cost]] = {}
    for costs in runs:
        for cost in costs:
            by_work.setdefault(cost.work, []).append(cost)
    return by_work
