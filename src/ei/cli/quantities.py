"""Quantities with their units, as people write them: 40ms, 2%, 10mbps."""

import argparse
import re
from collections.abc import Mapping

NUMBER = re.compile(r"(\d+(?:\.\d+)?)([a-z%]*)", re.ASCII)
MILLISECONDS = {"ms": 1.0, "s": 1_000.0, "us": 0.001}
MEGABITS = {"kbps": 0.001, "mbps": 1.0, "gbps": 1_000.0}
SHARES = {"%": 0.01, "": 1.0}
SECONDS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3_600.0}


def parse_milliseconds(text: str) -> float:
    """Parse a time such as `40ms` or `1.5s`; return milliseconds."""
    return _parse(text, MILLISECONDS, example="40ms or 1.5s")


def parse_seconds(text: str) -> float:
    """Parse a time such as `5`, `5s` or `200ms`, above zero; return seconds."""
    seconds = _parse(text, SECONDS, example="5s or 200ms")
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be above zero")
    return seconds


def parse_share(text: str) -> float:
    """Parse a probability such as `2%` or `0.02`; return 0 to 1."""
    share = _parse(text, SHARES, example="2% or 0.02")
    if share > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is more than all: 0% to 100% are possible")
    return share


def parse_megabits(text: str) -> float:
    """Parse a rate such as `10mbps`; return megabits per second."""
    return _parse(text, MEGABITS, example="10mbps or 1gbps")


def parse_count(text: str) -> int:
    """Parse a number of things, at least 1."""
    count = int(text) if text.isascii() and text.isdigit() else 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return count


def parse_place(text: str) -> tuple[int, int]:
    """Parse a location such as `48,11` or `34S,58W`; return latitude and longitude."""
    from ei.errors import LocalError
    from ei.records.locations import parse_location

    try:
        return parse_location(text)
    except LocalError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def duration(seconds: float | None) -> str:
    """Return a time for people: three digits and the unit that suits it."""
    if seconds is None:
        return "-"
    for unit, size_s in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size_s:
            return f"{seconds / size_s:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def lifetime(seconds: float) -> str:
    """Return a time to come for people, in the unit that suits it; `over` when it has come."""
    for unit, size_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("s", 1)):
        if seconds >= 2 * size_s or (unit == "s" and seconds > 0):
            return f"{seconds / size_s:.0f} {unit}"
    return "over"


def _parse(text: str, units: Mapping[str, float], *, example: str) -> float:
    found = NUMBER.fullmatch(text.lower())
    if found is None or found[2] not in units:
        raise argparse.ArgumentTypeError(f"{text!r} is not a quantity such as {example}")
    return float(found[1]) * units[found[2]]
