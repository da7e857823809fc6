"""How directives, dates and ages are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.services.caching.fields import (
    MOST_S,
    read_age,
    read_date,
    read_directives,
    write_date,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("max-age=3", 3),
        ("MAX-AGE=3", 3),
        ('max-age="3"', 3),
        ("max-age=003", 3),
        ("public, max-age=3", 3),
        ("max-age=5, max-age=3", 3),
        ("max-age=3, max-age=5", 3),
        ('other="max-age=9", max-age=3', 3),
        ("max-age=99999999999999", MOST_S),
        ("max-age=-3", 0),
        ("max-age=3.0", 0),
        ("max-age=three", 0),
        ("max-age='3'", 0),
        ("max-age", 0),
        ("x-max-age=3", None),
        ('other="max-age=9"', None),
        ("", None),
    ],
)
def test_seconds_are_read_or_stale(text: str, seconds: int | None) -> None:
    assert read_directives((("cache-control", text),)).seconds("max-age") == seconds


def test_directives_on_several_lines_are_one_list() -> None:
    directives = read_directives((("cache-control", "public"), ("cache-control", "no-store")))

    assert "public" in directives
    assert "no-store" in directives


def test_a_directive_may_be_limited_to_fields() -> None:
    directives = read_directives((("cache-control", 'private="Set-Cookie, X", no-cache'),))

    assert directives.fields("private") == ["set-cookie", "x"]
    assert not directives.is_whole("private")
    assert directives.is_whole("no-cache")


@given(st.text())
def test_whatever_comes_as_directives_is_read(text: str) -> None:
    directives = read_directives((("cache-control", text),))

    assert (directives.seconds("max-age") or 0) >= 0


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_dates_have_three_forms(text: str) -> None:
    assert read_date(text) == 784_111_777


@pytest.mark.parametrize(
    "text",
    [
        None,
        "0",
        "",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert read_date(text) is None


@given(st.integers(0, 4_000_000_000))
def test_a_date_that_is_written_is_read_again(unix_s: int) -> None:
    assert read_date(write_date(unix_s)) == unix_s


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ((), 0),
        (("7",), 7),
        (("0,7200",), 0),
        (("7200,0",), 7_200),
        (("7200,0", "0"), MOST_S),
        (("7", "7"), MOST_S),
        (("7, 7",), MOST_S),
        (("7 , 0, 7",), MOST_S),
        (("-7",), MOST_S),
        (("7.0",), MOST_S),
        (("7;x=0",), MOST_S),
        ((", 7",), MOST_S),
        (("",), MOST_S),
    ],
)
def test_of_ages_the_first_counts_and_what_is_doubtful_is_as_old_as_can_be(
    lines: tuple[str, ...], seconds: int
) -> None:
    assert read_age(tuple(("age", line) for line in lines)) == seconds
