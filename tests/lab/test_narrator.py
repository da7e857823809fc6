"""What the talk of long commands promises."""

import io

from ei.lab.narrator import Narrator
from ei.lab.promises import promise


def test_elsewhere_than_on_a_terminal_lines_are_plain() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    narrator.step("starting [bold]13[/bold] daemons")
    narrator.progress("7 of 13")
    narrator.done("all run")
    narrator.close()

    assert stream.getvalue() == "starting [bold]13[/bold] daemons\n  ✓ all run\n"


def test_a_table_has_a_line_for_each_promise() -> None:
    stream = io.StringIO()
    Narrator(stream).table((promise("pings answered", 56, "==", 56), promise("p", 1, "<=", 0)))

    lines = stream.getvalue().splitlines()

    assert len(lines) == 3
    assert lines[1].split()[-1] == "ok"
    assert lines[2].split()[-1] == "broken"


def test_a_table_fits_80_columns_whatever_was_measured() -> None:
    stream = io.StringIO()
    error = f"DeadlineError: {'nobody came, ' * 10}"
    Narrator(stream).table((promise("the demo runs to its end" * 3, error, "==", "it ends"),))

    assert max(map(len, stream.getvalue().splitlines())) <= 80


def test_a_quiet_narrator_says_nothing() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream, is_quiet=True)
    narrator.step("work")
    narrator.done("done")

    assert stream.getvalue() == ""
