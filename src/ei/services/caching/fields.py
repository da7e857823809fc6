"""Values of the fields that caching is about: directives, dates, numbers (RFC 9111, RFC 9110)."""

import re
from calendar import month_abbr, timegm
from collections.abc import Iterator
from email.utils import formatdate
from typing import Final

import msgspec

from ei.services.caching.http1 import Fields, value_of, values_of

MOST_S: Final = 2**31
"""What is longer counts as this long (RFC 9111 section 1.2.2)."""

_DIRECTIVE = re.compile(
    r"""\s*,\s*|([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(=)?("(?:[^"\\]|\\.)*"|[^\s,;"]*)|([^,]+)"""
)
_MONTHS = {name: number for number, name in enumerate(month_abbr)}
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
_IMF = re.compile(rf"[A-Z][a-z]{{2}}, ([0-9]{{2}}) ([A-Z][a-z]{{2}}) ([0-9]{{4}}) {_CLOCK} GMT")
_RFC850 = re.compile(
    rf"[A-Z][a-z]{{5,8}}, ([0-9]{{2}})-([A-Z][a-z]{{2}})-([0-9]{{2}}) {_CLOCK} GMT"
)
_ASCTIME = re.compile(rf"[A-Z][a-z]{{2}} ([A-Z][a-z]{{2}}) ([ 0-9][0-9]) {_CLOCK} ([0-9]{{4}})")


class Directives(msgspec.Struct, frozen=True):
    """Cache-Control, of a request or a response.

    Attributes:
        said: Directive by name in lower case; of one that is there twice the first, but for
            numbers: the smallest. A directive without argument has the empty one.
    """

    said: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.said

    def seconds(self, name: str) -> int | None:
        """Return the argument as seconds: `None` when absent, 0 when it is no number.

        What cannot be read is stale (RFC 9111 section 4.2.1).
        """
        argument = self.said.get(name)
        if argument is None:
            return None
        return min(int(argument), MOST_S) if is_number(argument) else 0

    def fields(self, name: str) -> list[str]:
        """Return the names of fields that the directive is limited to, in lower case."""
        listed = self.said.get(name, "")
        return [field.strip().lower() for field in listed.split(",") if field.strip()]

    def is_whole(self, name: str) -> bool:
        """Whether the directive is there and limited to no fields."""
        return name in self.said and not self.fields(name)


def read_directives(fields: Fields, name: str = "cache-control") -> Directives:
    """Read a field with directives; what is no directive is passed over."""
    said: dict[str, str] = {}
    text = value_of(fields, name)
    if text is None:
        return Directives(said)
    for directive, argument in _directives(text):
        before = said.get(directive)
        if before is None:
            said[directive] = argument
        elif not (before.isdigit() and argument.isdigit() and int(before) <= int(argument)):
            said[directive] = argument if argument.isdigit() or not before else before
    return Directives(said)


def _directives(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        found = _DIRECTIVE.match(text, position)
        if found is None or found.end() == position:
            position += 1
            continue
        position = found.end()
        name, equals, argument = found[1], found[2], found[3]
        if name is None:
            continue
        if not equals and argument:
            continue
        if argument.startswith('"'):
            argument = re.sub(r"\\(.)", r"\1", argument[1:-1])
        yield name.lower(), argument


def read_date(text: str | None) -> float | None:
    """Return a date of HTTP, in any of its three forms, as Unix time; `None` when it is none."""
    if text is None:
        return None
    if found := _IMF.fullmatch(text):
        day, month, year, *clock = found.groups()
    elif found := _RFC850.fullmatch(text):
        day, month, year, *clock = found.groups()
        year = f"{'19' if year >= '70' else '20'}{year}"  # as POSIX reads two digits
    elif found := _ASCTIME.fullmatch(text):
        month, day, *clock, year = found.groups()
    else:
        return None
    number = _MONTHS.get(month)
    if number is None or not "01" <= day.replace(" ", "0") <= "31":
        return None
    hour, minute, second = clock
    if hour > "23" or minute > "59" or second > "60":
        return None
    clock_s = (int(hour), int(minute), int(second))
    return float(timegm((int(year), number, int(day), *clock_s, 0, 0, 0)))


def write_date(unix_s: float) -> str:
    """Return a date of HTTP."""
    return formatdate(unix_s, usegmt=True)


def read_age(fields: Fields) -> int:
    """Return the seconds that Age says, of a list its first member (RFC 9111 section 5.1).

    What is no number, was said by several, or is said twice, counts as old as can be: it is asked
    for anew here, rather than used too long.
    """
    lines = values_of(fields, "age")
    if not lines:
        return 0
    first, *others = [member.strip() for member in lines[0].split(",")]
    is_doubtful = len(lines) > 1 or first in others
    return MOST_S if is_doubtful or not is_number(first) else min(int(first), MOST_S)


def is_number(text: str) -> bool:
    """Whether a text is a number without sign."""
    return text.isascii() and text.isdigit()
