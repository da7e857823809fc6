"""Writes what was measured into the page about speed: `python -m tools.bench_page REPORT [PAGE]`.

REPORT is what `ei bench --json` prints, or `report.json` of `ei bench --into FOLDER`. The table
stands between two marks, with the line that names the machine and nothing else. Of a report of all
figures the whole table is made again; of some figures their rows alone, so that a figure may be
measured again by itself.
"""

import re
import sys
from pathlib import Path

import msgspec

from ei.bench.catalogue import BENCHES
from ei.bench.figures import Figure, Report
from ei.errors import ConfigError

PAGE = Path(__file__).parents[1] / "docs/explanation/performance.md"
BEGIN, END = "<!-- measured: by `make bench` -->\n", "<!-- /measured -->\n"
HEAD = "| figure | measured | wanted | baseline | ratio |\n|---|---|---|---|---|\n"
MACHINE = re.compile(r"On \d+ cores of ")
MOST_EXACT = 100


def updated(page: str, report: Report) -> str:
    """Return the page with the figures of a report.

    Raises:
        ConfigError: The page has no place for them, or something else stands there.
    """
    before, begin, rest = page.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"no table: {BEGIN.strip()} and {END.strip()} are to stand around it")
    _check_made(table)
    new = {figure.name: _row(figure) for figure in report.figures}
    rows = {} if _is_of_all(report) else {_name_of(row): row for row in _rows(table)}
    machine = ", ".join(str(report.machine[key]) for key in ("processor", "kernel"))
    said = f"\nOn {report.machine['cores']} cores of {machine}; again: `{report.repeat}`.\n\n"
    return before + begin + said + HEAD + "".join((rows | new).values()) + "\n" + end + after


def _check_made(table: str) -> None:
    for line in table.splitlines():
        if line and not line.startswith("|") and not MACHINE.match(line):
            raise ConfigError(
                f"what stands above {END.strip()} is made anew and would be lost; move it below:"
                f" {line!r}"
            )


def _is_of_all(report: Report) -> bool:
    return not any(word in BENCHES for word in report.repeat.split())


def _rows(table: str) -> list[str]:
    _, _, rows = table.partition(HEAD)
    return [line for line in rows.splitlines(keepends=True) if line.startswith("| ")]


def _name_of(row: str) -> str:
    return row.split("|")[1].strip()


def _row(figure: Figure) -> str:
    if figure.status == "invalid":
        return f"| {figure.name} | invalid: {figure.note.replace('|', '/')} | | | |\n"
    cells = (
        figure.name,
        f"{_shown(figure.measured)} {figure.unit}",
        _shown(figure.limit),
        _shown(figure.baseline),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
    )
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n"


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= MOST_EXACT else f"{value:.3g}"


def main(arguments: list[str]) -> None:
    """Write the page."""
    report = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Report)
    page = Path(arguments[1]) if len(arguments) > 1 else PAGE
    _ = page.write_text(updated(page.read_text(), report))


if __name__ == "__main__":
    main(sys.argv[1:])
