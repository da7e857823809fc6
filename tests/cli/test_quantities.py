import argparse
from collections.abc import Callable

import pytest

from ei.cli.quantities import (
    duration,
    lifetime,
    parse_count,
    parse_megabits,
    parse_milliseconds,
    parse_seconds,
    parse_share,
)


def test_quantities_are_read_with_their_units() -> None:
    assert parse_milliseconds("40ms") == 40
    assert parse_milliseconds("1.5s") == 1_500
    assert parse_share("2%") == pytest.approx(0.02)
    assert parse_share("0.5") == 0.5
    assert parse_megabits("1gbps") == 1_000
    assert parse_seconds("200ms") == pytest.approx(0.2)
    assert parse_seconds("3") == 3
    assert parse_count("7") == 7


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_milliseconds, "40"),
        (parse_milliseconds, "-1ms"),
        (parse_milliseconds, "nanms"),
        (parse_share, "101%"),
        (parse_share, "half"),
        (parse_megabits, "10"),
        (parse_seconds, "0"),
        (parse_seconds, "1e9"),
        (parse_count, "0"),
        (parse_count, "٣"),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_was_seen(
    parse: Callable[[str], object], text: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}'"):
        parse(text)


def test_times_are_shown_with_three_digits_and_a_unit_that_suits() -> None:
    assert duration(1.9312) == "1.93 s"
    assert duration(0.0019312) == "1.93 ms"
    assert duration(0.00000412) == "4.12 µs"
    assert duration(None) == "-"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (364.6 * 86_400, "365 days"),
        (47 * 3_600, "47 hours"),
        (7_200, "2 hours"),
        (90, "90 s"),
        (0.0, "over"),
        (-5, "over"),
    ],
)
def test_what_is_left_is_shown_in_the_unit_that_suits_it(seconds: float, shown: str) -> None:
    assert lifetime(seconds) == shown
