"""Tells what a long command does, on stderr: in colour on a terminal, plain lines elsewhere."""

import os
import sys
from typing import TextIO

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from ei.lab.promises import HEADER, Promise, rows

FILE_WIDTH = 80
STYLES = {"ok": "green", "broken": "bold red", "invalid": "yellow", "unsupported": "yellow"}


class Narrator:
    """Speaks of steps, of progress within a step, and of promises.

    Args:
        stream: Where to; talk belongs on stderr.
        is_plain: No colours and no redrawing, whatever `stream` is.
        is_quiet: Say nothing at all.
    """

    def __init__(
        self, stream: TextIO | None = None, *, is_plain: bool = False, is_quiet: bool = False
    ) -> None:
        self._console = Console(
            file=sys.stderr if stream is None else stream,
            no_color=is_plain or None,
            force_terminal=False if is_plain else None,
            highlight=False,
            quiet=is_quiet,
        )
        if not self._console.is_terminal and not os.environ.get("COLUMNS"):
            self._console.width = FILE_WIDTH
        self._status: Status | None = None

    @property
    def width(self) -> int:
        """Columns there are; of a file $COLUMNS, else 80."""
        return self._console.width

    def step(self, text: str) -> None:
        """A new step begins; it is shown as going on until the next line is said."""
        self._end_status()
        if self._console.is_terminal:
            self._status = self._console.status(Text(text))
            self._status.start()
        else:
            self._console.print(Text(text))

    def progress(self, text: str) -> None:
        """How far the step is, for people who look on."""
        if self._status is not None:
            self._status.update(Text(text))

    def done(self, text: str) -> None:
        """The step is done, and this came of it."""
        self._end_status()
        self._console.print(Text("  ✓ ", style="green").append(text, style="default"))

    def show(self, text: str) -> None:
        """Print lines as they are."""
        self._end_status()
        self._console.print(Text(text))

    def table(self, promises: tuple[Promise, ...]) -> None:
        """Print promises as a table."""
        self._end_status()
        table = Table(box=None, pad_edge=False)
        for title in HEADER:
            table.add_column(title, overflow="fold")
        for row, promise in zip(rows(promises), promises, strict=True):
            table.add_row(*(Text(cell) for cell in row[:-1]), Text(row[-1], STYLES[promise.status]))
        self._console.print(table)

    def close(self) -> None:
        """Leave the terminal as it was. Idempotent."""
        self._end_status()

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
