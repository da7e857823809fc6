"""`ei bench`: how fast, each figure beside its baseline in the same run."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count

if TYPE_CHECKING:
    from ei.bench.figures import Figure, Report

HEADER = ("figure", "measured", "limit", "baseline", "ratio", "spread", "status")
MOST_PLAIN = 10_000
"""From here on digits are grouped."""

MARKS = {"ok": "ok", "printed": "ok", "missed": "bad", "invalid": "bad"}
DETAILS = """\
Without a name: all figures. As root it measures over namespaces that it makes and removes itself,
else over loopback. A run whose load was not reached is invalid, not good. Exit code 1 unless all
limits are met."""


def add_parser(commands: Verbs) -> None:
    """Add `ei bench`."""
    verb = commands.add(
        "bench",
        summary="measure how fast it is, each figure beside its baseline in the same run",
        details=DETAILS,
        execute=execute,
    )
    verb.takes("names", nargs="*", metavar="NAME", help="such as hit, fanout, miss, latency")
    verb.takes("--runs", type=parse_count, metavar="N", help="interleaved runs of each figure")
    verb.takes("--into", type=Path, metavar="FOLDER", help="also a page, and curves as drawings")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Measure, telling about each figure as it is known."""
    from ei.bench.catalogue import DEFAULT_RUNS, measure

    output.progress("measuring; other work on this machine spoils it")

    def on_figure(figure: "Figure") -> None:
        output.talk(
            f"{output.mark(MARKS[figure.status], is_talk=True)} {figure.name}: "
            f"{figure.measured:g} {figure.unit} {figure.note}".rstrip()
        )

    report = measure(
        tuple(arguments.names), runs=arguments.runs or DEFAULT_RUNS, on_figure=on_figure
    )
    exit_code = show_report(report, output)
    folder: Path | None = arguments.into
    if folder is not None:
        from ei.bench.plots import files_of
        from ei.lab.writing import write_files

        write_files(folder, files_of(report), lambda path: output.talk(f"wrote {path}"))
    return exit_code


def show_report(report: "Report", output: Output) -> Exit:
    """Print all figures; return whether their limits are met."""
    import msgspec

    output.data(", ".join(f"{name} {value}" for name, value in report.machine.items()))
    output.table(HEADER, [_cells(figure) for figure in report.figures])
    output.data(f"again: {report.repeat}")
    content: dict[str, object] = json.loads(msgspec.json.encode(report))
    output.document(str(content.pop("schema")), content)
    is_good = all(MARKS[figure.status] == "ok" for figure in report.figures)
    return Exit.OK if is_good else Exit.NEGATIVE


def _cells(figure: "Figure") -> tuple[str, ...]:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g}" if value < MOST_PLAIN else f"{value:,.0f}"

    return (
        figure.name,
        f"{shown(figure.measured)} {figure.unit.split()[0]}",
        shown(figure.limit),
        shown(figure.baseline),
        "-" if figure.ratio is None else f"{figure.ratio:.2f}",
        f"{shown(figure.spread[0])}-{shown(figure.spread[1])}",
        figure.status,
    )
