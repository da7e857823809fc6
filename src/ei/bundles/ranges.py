"""Ranges of versions, such as `>=0.1, <0.2`: all that is said has to hold.

Missing places are zeros, so `0.1` is `0.1.0`. What follows a `-` or `+` is not compared.
"""

import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt

from ei.errors import ConfigError

Version = tuple[int, int, int]
Test = tuple[Callable[[Version, Version], bool], Version]

WORDS = {">=": ge, "<=": le, ">": gt, "<": lt, "==": eq}
TERM = re.compile(r"(>=|<=|>|<|==)\s*(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?")


def parse_range(text: str) -> tuple[Test, ...]:
    """Return what a version has to pass; nothing, of an empty text.

    Raises:
        ConfigError: it is no range.
    """
    return tuple(_parse_term(term.strip()) for term in text.split(",") if text.strip())


def is_in_range(version: str, text: str) -> bool:
    """Return whether a version, such as `0.1.0`, is in a range.

    Raises:
        ConfigError: it is no range.
    """
    numbers = re.split(r"[-+]", version, maxsplit=1)[0].split(".")
    first, second, third = (int(number) for number in numbers)
    return all(test((first, second, third), limit) for test, limit in parse_range(text))


def _parse_term(term: str) -> Test:
    found = TERM.fullmatch(term)
    if found is None:
        raise ConfigError(
            f"{term!r} is no range of versions; allowed are {', '.join(WORDS)} and a version",
            remedy='Such as version = ">=0.1, <0.2"',
        )
    word, first, second, third = found.groups()
    return WORDS[word], (int(first), int(second or 0), int(third or 0))
