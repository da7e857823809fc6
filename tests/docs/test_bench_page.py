"""The table of figures is that of the report it was made from."""

from pathlib import Path

import msgspec
import pytest
from tools.bench_page import BEGIN, END, HEAD, PAGE, main, updated

from ei.bench.figures import Report, figure
from ei.errors import ConfigError

MACHINE: dict[str, str | int] = {"processor": "a processor", "cores": 2, "kernel": "6.1"}
EMPTY = f"before\n{BEGIN}{END}after\n"
HIT = figure("hit V 512 B", [350.4], unit="ns/packet", limit=350, baseline=[100.0])
MISS = figure("miss", [80_123.0], unit="packets/s")
LATE = figure("latency", [], unit="µs", invalid="only 3 of 1000 probes arrived")


def report(*figures: object, repeat: str = "ei bench --runs 5") -> Report:
    found = {"machine": MACHINE, "repeat": repeat, "figures": list(figures)}
    return msgspec.convert(msgspec.to_builtins(found), Report)


def test_each_figure_has_a_row_with_its_limit_and_baseline() -> None:
    page = updated(EMPTY, report(HIT, MISS, LATE))

    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "On 2 cores of a processor, 6.1; again: `ei bench --runs 5`." in page
    assert "| hit V 512 B | 350 ns/packet | 350 | 100 | 3.50 |\n" in page
    assert "| miss | 80,123 packets/s | | | |\n" in page
    assert "| latency | invalid: only 3 of 1000 probes arrived | | | |\n" in page


def test_a_figure_that_is_measured_again_by_itself_takes_the_place_of_the_old() -> None:
    page = updated(EMPTY, report(HIT, MISS))
    faster = figure("hit V 512 B", [300.0], unit="ns/packet")

    again = updated(page, report(faster, repeat="ei bench hit --runs 5"))

    assert again.partition(HEAD)[2].startswith("| hit V 512 B | 300 ns/packet | | | |\n| miss |")


def test_a_report_of_all_leaves_no_row_of_before() -> None:
    page = updated(updated(EMPTY, report(HIT, MISS)), report(HIT))

    assert "| miss |" not in page
    assert updated(page, report(HIT)) == page


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ConfigError, match="are to stand around it"):
        _ = updated("nothing", report(HIT))


def test_a_line_of_somebodys_own_between_the_marks_is_not_deleted() -> None:
    page = updated(EMPTY, report(HIT)).replace(END, f"It was cold.\n{END}")

    with pytest.raises(ConfigError, match=r"move it below: 'It was cold\.'"):
        _ = updated(page, report(MISS))


def test_rows_of_what_was_not_measured_stay_on_the_page() -> None:
    before = PAGE.read_text()

    after = updated(before, report(HIT, repeat="ei bench hit --runs 5"))

    changed = set(after.splitlines()) ^ set(before.splitlines())
    assert {line for line in changed if not line.startswith(("| hit V 512 B |", "On "))} == set()


def test_the_page_has_a_place() -> None:
    assert "| hit V 512 B |" in updated(PAGE.read_text(), report(HIT))


def test_a_file_is_written_from_a_file(tmp_path: Path) -> None:
    source, page = tmp_path / "report.json", tmp_path / "page.md"
    _ = source.write_bytes(msgspec.json.encode(report(HIT)))
    _ = page.write_text(EMPTY)

    main([str(source), str(page)])

    assert "| hit V 512 B |" in page.read_text()
