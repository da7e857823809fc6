"""The same scenario from many seeds: the worst of each promise, and all runs."""

from collections.abc import Iterable

import msgspec

from ei.lab.promises import SCHEMA, Promise, Report

BADNESS = {"ok": 0, "unsupported": 1, "invalid": 2, "broken": 3}


class Worst(Promise, frozen=True, kw_only=True):
    """A promise as the worst of all runs kept it; `seed` is that run's."""

    seed: int


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """Many runs as one document of the schema `ei.promises/1`.

    Attributes:
        seed: Of the first run; each further one has the next.
        repeat: How many runs.
        promises: The worst of each, in the order in which a run tells them.
        runs: All of them.
    """

    schema: str = SCHEMA
    scenario: str
    backend: str
    seed: int
    repeat: int
    promises: tuple[Worst, ...]
    runs: tuple[Report, ...]

    @property
    def is_ok(self) -> bool:
        """Whether there are runs, and each kept all its promises."""
        return bool(self.runs) and all(run.is_ok for run in self.runs)

    def json(self) -> str:
        """Return all as one JSON object on one line."""
        return msgspec.json.encode(self).decode()


def merge(runs: Iterable[Report]) -> Repeated:
    """Make one document of the reports of runs of one scenario, at least one.

    Of several that are as bad, the first run's promise counts.
    """
    reports = tuple(runs)
    worst: dict[str, Worst] = {}
    for report in reports:
        for promise in report.promises:
            known = worst.get(promise.name)
            if known is None or _badness(promise) > _badness(known):
                worst[promise.name] = Worst(**msgspec.structs.asdict(promise), seed=report.seed)
    first = reports[0]
    return Repeated(
        scenario=first.scenario,
        backend=first.backend,
        seed=first.seed,
        repeat=len(reports),
        promises=tuple(worst.values()),
        runs=reports,
    )


def _badness(promise: Promise) -> tuple[int, float]:
    """Return how bad it is: by status, then by how near to or far from its limit it is."""
    distance = 0.0
    measured, value = promise.measured, promise.limit.value
    if isinstance(measured, float | int) and isinstance(value, float | int):
        distance = measured - value
    match promise.limit.op:
        case "<=":
            pass
        case ">=":
            distance = -distance
        case "==":
            distance = abs(distance)
    return BADNESS[promise.status], distance
