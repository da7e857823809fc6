"""A location is read and written in whole degrees, and places have a way between them."""

import pytest

from ei.errors import LocalError
from ei.records.locations import distance_km, format_location, parse_location

MUNICH, BUENOS_AIRES, AUCKLAND = (48, 12), (-35, -58), (-37, 175)


@pytest.mark.parametrize(
    ("text", "location"),
    [("48,11", (48, 11)), ("-35,-58", (-35, -58)), ("35S,58W", (-35, -58)), ("0n,180e", (0, 180))],
)
def test_a_location_is_read_with_signs_or_letters(text: str, location: tuple[int, int]) -> None:
    assert parse_location(text) == location


@pytest.mark.parametrize(
    "text", ["", "48", "48.1,11.5", "91,0", "0,181", "-34S,0", "48N,11N", "a,b"]
)
def test_what_is_no_location_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LocalError, match=r"is no location: .* such as 48,11 or 34S,58W"):
        _ = parse_location(text)


@pytest.mark.parametrize("location", [MUNICH, BUENOS_AIRES, (0, 0), (-90, 180)])
def test_what_is_written_is_read_again(location: tuple[int, int]) -> None:
    assert parse_location(format_location(location)) == location


def test_ways_are_as_long_as_on_a_globe() -> None:
    assert distance_km(MUNICH, MUNICH) == 0
    assert distance_km(MUNICH, BUENOS_AIRES) == pytest.approx(11_600, rel=0.02)
    assert distance_km((0, 0), (0, 180)) == pytest.approx(20_015, rel=0.001)


def test_the_date_line_is_no_border() -> None:
    assert distance_km(AUCKLAND, (-37, -175)) < 1_000
