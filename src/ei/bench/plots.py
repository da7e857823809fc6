"""How costs grow, drawn from the figures of a report; and the report as a page of its own.

A curve is made of all figures whose name is the same but for a number. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape

import msgspec

from ei.bench.figures import Figure, Report
from ei.lab.charts import growth

CURVES: Mapping[str, tuple[str, str]] = {
    "decisions": (r"hit with ([0-9,]+) decisions in use", "decisions in use"),
    "pipes": (r"hit with ([0-9,]+) pipes in use", "pipes in use"),
    "copies": (r"fanout ([0-9,]+), per copy, without sockets", "copies of each packet"),
    "threads": (r"hit on ([0-9,]+) threads", "threads"),
}
"""Name to (what its figures are called, what the number is of)."""

STYLE = """\
svg {{ font: 13px system-ui, sans-serif; --a: #3b7dd8; }}
text {{ fill: {ink}; }} .dim {{ fill: #808890; }} .axis {{ stroke: #808890; }}
"""
INK, MIDDLE = "#1b2430", "#7d8794"
"""Of a page of its own, and of a drawing that stands on any page, light or dark."""

MOST_EXACT = 10_000
PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ei bench</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; }}
.missed, .invalid {{ color: #b3261e; }}
{style}</style></head><body>
<h1>ei bench</h1>
<p>{machine}</p>
{drawings}
<table><tr><th>figure</th><th>measured</th><th>limit</th><th>baseline</th><th>ratio</th>
<th>spread</th><th></th></tr>
{rows}
</table>
<p>Again: <code>{repeat}</code></p>
</body></html>
"""


def drawings(figures: Sequence[Figure]) -> dict[str, str]:
    """Return a drawing of each curve that has at least two figures, by name."""
    found: dict[str, str] = {}
    for name, (pattern, what) in CURVES.items():
        points: list[tuple[float, float]] = []
        unit = ""
        for figure in figures:
            matched = re.fullmatch(pattern, figure.name)
            if matched is not None and figure.status != "invalid":
                points.append((float(matched[1].replace(",", "")), figure.measured))
                unit = figure.unit
        if len(points) > 1:
            found[name] = growth(sorted(points), what=what, unit=unit)
    return found


def page(report: Report) -> str:
    """Return the report as HTML."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    return PAGE.format(
        style=STYLE.format(ink=INK),
        machine=escape(machine),
        drawings="\n".join(drawings(report.figures).values()),
        rows="\n".join(map(_row, report.figures)),
        repeat=escape(report.repeat),
    )


def files_of(report: Report) -> dict[str, str]:
    """Return the page, the report as JSON, and each drawing by itself, by the names of files."""
    style = f"<style>{STYLE.format(ink=MIDDLE)}</style>"
    report_json = msgspec.json.format(msgspec.json.encode(report)).decode()
    files = {"report.html": page(report), "report.json": report_json}
    for name, drawn in drawings(report.figures).items():
        head, rest = drawn.split("\n", 1)
        files[f"{name}.svg"] = f"{head}\n{style}\n{rest}\n"
    return files


def _row(figure: Figure) -> str:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:,.{1 if value < MOST_EXACT else 0}f}"

    low, high = figure.spread
    ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
    cells = (
        figure.name, f"{shown(figure.measured)} {figure.unit}", shown(figure.limit),
        shown(figure.baseline), ratio, f"{shown(low)} to {shown(high)}", figure.status,
    )  # fmt: skip
    inner = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{figure.status}" title="{escape(figure.note)}">{inner}</tr>'
