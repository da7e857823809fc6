"""What a benchmark says: figures with their limit, baseline, ratio and spread."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

SCHEMA = "ei.bench/1"

Status = Literal["ok", "missed", "invalid", "printed"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure.

    Attributes:
        name: What was measured, with link model, sizes and settings: `hit V 512 B`.
        measured: Median of the runs, in `unit`.
        unit: Such as `ns/packet`.
        limit: Most (or, for a rate, least) that is asked for; `None` where a figure is only shown.
        baseline: The same measure of the plain program, in the same run.
        ratio: measured / baseline.
        spread: Smallest and largest run.
        runs: How many runs the median is of.
        status: `ok`, `missed`, `invalid` (the load was not reached: no figure) or `printed`.
        note: What the reader must know: settings, why it is invalid.
    """

    name: str
    measured: float
    unit: str
    limit: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    spread: tuple[float, float]
    runs: int
    status: Status
    note: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one run, on one machine. Its schema is `ei.bench/1`."""

    schema: str = SCHEMA
    machine: dict[str, str | int]
    repeat: str
    figures: tuple[Figure, ...]


def figure(  # noqa: PLR0913 a row of a table has its columns
    name: str,
    runs: Sequence[float],
    *,
    unit: str,
    limit: float | None = None,
    is_rate: bool = False,
    baseline: Sequence[float] = (),
    invalid: str = "",
    note: str = "",
) -> Figure:
    """Sum `runs` up as a `Figure`.

    Args:
        runs: One value per run; none at all is an invalid figure.
        limit: Checked against the median: most, or least when `is_rate`.
        baseline: Runs of the baseline, interleaved with `runs`.
        invalid: Why the load was not reached; empty when it was.
    """
    if not runs:
        reason = invalid or "no run gave a value"
        return Figure(
            name=name, measured=0, unit=unit, limit=limit, spread=(0, 0), runs=0,
            status="invalid", note=reason,
        )  # fmt: skip
    median = statistics.median(runs)
    base = statistics.median(baseline) if baseline else None
    return Figure(
        name=name,
        measured=round(median, 1),
        unit=unit,
        limit=limit,
        baseline=None if base is None else round(base, 1),
        ratio=round(median / base, 3) if base else None,
        spread=(round(min(runs), 1), round(max(runs), 1)),
        runs=len(runs),
        status=_status(median, limit=limit, is_rate=is_rate, is_invalid=bool(invalid)),
        note=invalid or note,
    )


def _status(median: float, *, limit: float | None, is_rate: bool, is_invalid: bool) -> Status:
    if is_invalid:
        return "invalid"
    if limit is None:
        return "printed"
    is_met = median >= limit if is_rate else median <= limit
    return "ok" if is_met else "missed"


def machine() -> dict[str, str | int]:
    """Describe this machine, as far as a reader needs to judge a figure."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.processor() or "unknown"
