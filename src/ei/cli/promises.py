"""How promises are shown: as a table for people, as one `ei.promises/1` object for programs."""

import json
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.lab.promises import HEADER, Promise, Report, rows
from ei.lab.repeated import Repeated

MARKS = {"ok": "ok", "broken": "bad", "invalid": "bad", "unsupported": "warn"}


def show_promise(promise: Promise, output: Output) -> None:
    """Tell about one promise while the others are still measured."""
    (cells,) = rows([promise])
    mark = output.mark(MARKS[promise.status], is_talk=True)
    output.talk(f"{mark} {promise.name}: {cells[1]} {promise.unit}".rstrip())


def show_report(report: Report, output: Output) -> Exit:
    """Print all promises; return 0 if all are kept, else 1."""
    output.table(HEADER, rows(report.promises))
    kept = sum(promise.status == "ok" for promise in report.promises)
    summary = f"{kept} of {len(report.promises)} promises kept"
    if report.digest is not None:
        summary += f", event log {report.digest[:16]}"
    output.data(output.paint(summary, "ok" if report.is_ok else "bad"))
    report_document(report, output)
    return Exit.OK if report.is_ok else Exit.NEGATIVE


def show_run(report: Report, output: Output) -> None:
    """Tell about one of several runs: its seed, and what it did not keep."""
    missed = [promise for promise in report.promises if promise.status != "ok"]
    mark = output.mark("ok" if report.is_ok else "bad", is_talk=True)
    kept = len(report.promises) - len(missed)
    output.talk(f"{mark} seed {report.seed}: {kept} of {len(report.promises)} promises kept")
    for promise in missed:
        show_promise(promise, output)


def show_repeated(repeated: Repeated, output: Output) -> Exit:
    """Print the worst of each promise and its seed; return 0 if every run kept all, else 1."""
    cells = rows(repeated.promises)
    seeds = [str(promise.seed) for promise in repeated.promises]
    header = (HEADER[0], f"worst of {repeated.repeat}", *HEADER[2:], "seed")
    output.table(header, [(*row, seed) for row, seed in zip(cells, seeds, strict=True)])
    kept = sum(run.is_ok for run in repeated.runs)
    summary = f"{kept} of {repeated.repeat} runs kept all promises"
    output.data(output.paint(summary, "ok" if repeated.is_ok else "bad"))
    content: dict[str, object] = json.loads(repeated.json())
    output.document(str(content.pop("schema")), content)
    return Exit.OK if repeated.is_ok else Exit.NEGATIVE


def report_document(report: Report, output: Output, *, page: Path | None = None) -> None:
    """Print the report as one `ei.promises/1` object, in JSON mode.

    Args:
        page: Where its HTML report is, if there is one: the field `report`.
    """
    content: dict[str, object] = json.loads(report.json())
    if page is not None:
        content["report"] = str(page)
    output.document(str(content.pop("schema")), content)
