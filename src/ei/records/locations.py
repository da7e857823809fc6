"""Coarse locations: latitude and longitude in whole degrees, which is about 100 km. Pure.

People write them `48,11`, or `34S,58W`, which no program takes for an option.
"""

import re
from math import asin, cos, radians, sin, sqrt

from ei.errors import LocalError

Location = tuple[int, int]
"""Latitude, -90 to 90, and longitude, -180 to 180."""

MAX_LATITUDE, MAX_LONGITUDE = 90, 180
EARTH_KM = 6_371.0
FORM = re.compile(r"([+-]?)(\d{1,2})([NS]?),([+-]?)(\d{1,3})([EW]?)", re.ASCII | re.IGNORECASE)


def is_location(location: Location) -> bool:
    """Return whether there is such a place."""
    latitude, longitude = location
    return abs(latitude) <= MAX_LATITUDE and abs(longitude) <= MAX_LONGITUDE


def parse_location(text: str) -> Location:
    """Return the location that a text writes.

    Raises:
        LocalError: it writes none.
    """
    found = FORM.fullmatch(text.strip())
    if found is not None:
        ahead, latitude, north, before, longitude, east = found.groups()
        is_twice = bool((ahead and north) or (before and east))
        is_south, is_west = "-" in ahead or north in {*"Ss"}, "-" in before or east in {*"Ww"}
        location = (
            -int(latitude) if is_south else int(latitude),
            -int(longitude) if is_west else int(longitude),
        )
        if is_location(location) and not is_twice:
            return location
    raise LocalError(
        f"{text!r:.60} is no location: latitude up to {MAX_LATITUDE} and longitude up to"
        f" {MAX_LONGITUDE}, in whole degrees, such as 48,11 or 34S,58W"
    )


def format_location(location: Location) -> str:
    """Return a location for people."""
    latitude, longitude = location
    north, east = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    return f"{abs(latitude)}{north},{abs(longitude)}{east}"


def distance_km(one: Location, other: Location) -> float:
    """Return the way between two places along the Earth, as if that were a ball."""
    (one_north, one_east), (north, east) = (tuple(map(radians, each)) for each in (one, other))
    across = sin((north - one_north) / 2) ** 2
    along = cos(one_north) * cos(north) * sin((east - one_east) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(across + along)))
