"""Text in so many columns: folded at its words where it is wider, never cut."""

import re
import unicodedata
from collections.abc import Sequence

GAP = "  "
NARROWEST = 6
COLOUR = re.compile(r"\x1b\[[\d;]*m")
QUANTITY = re.compile(r"[\d.,/%-]*\d[\d.,/%-]*( .*)?")
"""A number, perhaps with its unit behind it; no key or name that begins with a digit."""

BREAKS = "-./:,_"
"""After these a word is broken, where it does not fit otherwise."""


def width_of(text: str) -> int:
    """Columns that `text` takes in a terminal; colours take none."""
    shown = COLOUR.sub("", text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in shown)
    marks = sum(unicodedata.combining(character) != 0 for character in shown)
    return len(shown) + wide - marks


def folded(text: str, width: int, *, indent: str = "") -> list[str]:
    """Return `text` as lines of at most `width` columns, all but the first indented."""
    lines: list[str] = []
    line: str | None = None
    for word in text.split(" "):
        longer = word if line is None else f"{line} {word}"
        if width_of(longer) > width and line is not None and line.strip():
            lines.append(line.rstrip())
            longer = indent + word
        *full, line = _broken(longer, width)
        lines += full
    return [*lines, line or ""]


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int
) -> list[list[str]]:
    """Return the header and each row as lines; numbers to the right."""
    columns = list(zip(header, *rows, strict=True))
    right = [bool(rows) and all(_is_number(cell) for cell in column[1:]) for column in columns]
    widths = _widths(columns, width - len(GAP) * (len(columns) - 1))
    return [_row(cells, widths, right) for cells in (header, *rows)]


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return how wide columns are: as their widest cells, or less so that all fit `width`."""
    widths = [max(map(width_of, column)) for column in columns]
    words = [
        max(width_of(word) for cell in column for word in cell.split(" ")) for column in columns
    ]
    for least in (words, [min(NARROWEST, natural) for natural in widths]):
        while sum(widths) > width:
            spare = [index for index, natural in enumerate(widths) if natural > least[index]]
            if not spare:
                break
            widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    parts = [folded(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, parts))
    return [
        GAP.join(
            _padded(part[number] if number < len(part) else "", width, is_right=is_right)
            for part, width, is_right in zip(parts, widths, right, strict=True)
        ).rstrip()
        for number in range(height)
    ]


def _padded(text: str, width: int, *, is_right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if is_right else text + space


def _is_number(cell: str) -> bool:
    return cell in {"", "-"} or QUANTITY.fullmatch(cell) is not None


def _broken(word: str, width: int) -> list[str]:
    """Return a word in pieces that fit."""
    pieces: list[str] = []
    while width_of(word) > width:
        end = next(
            end for end in range(len(word), 0, -1) if width_of(word[:end]) <= width or end == 1
        )
        after = max(word.rfind(mark, 0, end) for mark in BREAKS) + 1
        end = after if after > end // 2 else end
        pieces.append(word[:end])
        word = word[end:]
    return [*pieces, word]
