"""How commands speak: data to stdout, talk to stderr, colour and progress only for people."""

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from ei.cli.columns import folded, table_lines

SYMBOLS = {"ok": "✓", "warn": "!", "bad": "✗"}
PLAIN_SYMBOLS = {"ok": "ok", "warn": "note", "bad": "failed"}
FILE_WIDTH = 80
NARROWEST = 40
COLOURS = {"ok": "32", "warn": "33", "bad": "31", "dim": "2", "strong": "1"}


class Output:
    """Where one command writes.

    Args:
        stdout, stderr: Data goes to the first, talk to the second.
        environ: `NO_COLOR` and `TERM=dumb` switch colours off; `COLUMNS` says how wide lines are.
        is_json: The data is one JSON object.
        is_plain: No colours, symbols or redrawing.
        is_quiet: No progress and no hints.
    """

    def __init__(  # noqa: PLR0913 one flag each
        self,
        *,
        stdout: TextIO,
        stderr: TextIO,
        environ: Mapping[str, str],
        is_json: bool = False,
        is_plain: bool = False,
        is_quiet: bool = False,
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._may_colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._columns = environ.get("COLUMNS", "")
        self._is_drawn = False
        self.is_json = is_json
        self.is_plain = is_plain
        self.is_quiet = is_quiet

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at the data, so that it may be drawn and redrawn."""
        return self._has_colour(self._stdout)

    @property
    def width(self) -> int:
        """Columns of a line: `$COLUMNS`, else those of the terminal, else 80."""
        columns = int(self._columns) if self._columns.isascii() and self._columns.isdigit() else 0
        if not columns:
            with suppress(OSError, ValueError):
                columns = os.get_terminal_size(self._stdout.fileno()).columns
        return max(columns or FILE_WIDTH, NARROWEST)

    def data(self, text: str) -> None:
        """Print a line of the answer; nothing in JSON mode, where `document` is the answer."""
        if not self.is_json:
            self._clear()
            print(text, file=self._stdout, flush=True)

    def fold(self, text: str, *, indent: str = "  ") -> None:
        """Print a line of the answer, folded where it is too wide."""
        self.data("\n".join(folded(text, self.width, indent=indent)))

    def document(self, schema: str, content: Mapping[str, object]) -> None:
        """Print the answer as one JSON object, in JSON mode.

        Args:
            schema: Such as `ei.status/1`; grows only by fields within its number.
        """
        if self.is_json:
            self._clear()
            print(json.dumps({"schema": schema, **content}), file=self._stdout, flush=True)

    def talk(self, text: str) -> None:
        """Print a line about what is happening."""
        if not self.is_quiet:
            self._clear()
            print(text, file=self._stderr, flush=True)

    def progress(self, text: str) -> None:
        """Show what is happening right now, for people only; the next line replaces it."""
        if self._has_colour(self._stderr) and not self.is_quiet:
            self._clear()
            print(text[: self.width - 1], end="", file=self._stderr, flush=True)
            self._is_drawn = True

    def home(self) -> None:
        """Start to draw again at the top of the screen; for people only."""
        if self.is_terminal:
            print("\x1b[H\x1b[2J", end="", file=self._stdout, flush=True)

    def next(self, *commands: str) -> None:
        """Suggest what to do next."""
        self.talk(self.paint(f"next: {' | '.join(commands)}", "dim", is_talk=True))

    def complain(self, text: str) -> None:
        """Print an error; not even `--quiet` silences it."""
        self._clear()
        print(text, file=self._stderr, flush=True)

    def mark(self, kind: str, *, is_talk: bool = False) -> str:
        """Return the symbol for `ok`, `warn` or `bad`, coloured for its stream."""
        symbols = PLAIN_SYMBOLS if self.is_plain else SYMBOLS
        return self.paint(symbols[kind], kind, is_talk=is_talk)

    def paint(self, text: str, kind: str, *, is_talk: bool = False) -> str:
        """Colour `text` as `kind` of `COLOURS`, where its stream has colours."""
        stream = self._stderr if is_talk else self._stdout
        if not self._has_colour(stream):
            return text
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m"

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print columns, each as wide as its widest cell where that fits; numbers to the right."""
        lines = [[printable(cell) for cell in row] for row in rows]
        head, *body = table_lines(header, lines, width=self.width)
        for line in head:
            self.data(self.paint(line, "dim"))
        for row in body:
            for line in row:
                self.data(line)

    def _has_colour(self, stream: TextIO) -> bool:
        return self._may_colour and not self.is_plain and stream.isatty()

    def _clear(self) -> None:
        if self._is_drawn:
            print("\r\x1b[K", end="", file=self._stderr, flush=True)
            self._is_drawn = False


def standard_output() -> Output:
    """Return the output before any flag is known; a stream that was closed leads nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # ei status >&-
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", closefd=False))
    return Output(stdout=sys.stdout, stderr=sys.stderr, environ=os.environ)


def printable(text: str) -> str:
    """Return `text` with control characters shown as escapes, so that none reaches a terminal.

    Names, reasons and logs come from strangers; an escape sequence of theirs must not act here.
    """
    return "".join(
        character if unicodedata.category(character)[0] != "C" else ascii(character)[1:-1]
        for character in text
    )
