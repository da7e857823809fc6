"""Who gets a 304, and which part of a body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.services.caching.conditions import (
    Part,
    Span,
    is_for_origin,
    is_unchanged,
    is_within,
    not_modified,
    part_of,
    partial,
    parts_of,
    span_of,
    without_conditions,
    without_parts,
)
from ei.services.caching.fields import write_date
from ei.services.caching.http1 import Request, Response, value_of

SIZE = 10
THEN = write_date(1_000)
WHOLE = Response(
    200,
    "OK",
    1,
    (("etag", '"a"'), ("last-modified", THEN), ("date", write_date(2_000)), ("x", "y")),
)


def asked(*fields: tuple[str, str], method: str = "GET") -> Request:
    return Request(method, "/", 1, fields)


@pytest.mark.parametrize(
    ("name", "value", "is_it"),
    [
        ("if-none-match", '"a"', True),
        ("if-none-match", 'W/"a"', True),
        ("if-none-match", '"b", "a"', True),
        ("if-none-match", "*", True),
        ("if-none-match", '"b"', False),
        ("if-modified-since", THEN, True),
        ("if-modified-since", write_date(1_001), True),
        ("if-modified-since", write_date(999), False),
        ("if-modified-since", "yesterday", False),
        ("accept", "*/*", False),
    ],
)
def test_a_client_that_has_it_is_told_so(name: str, value: str, is_it: bool) -> None:  # noqa: FBT001
    assert is_unchanged(asked((name, value)), WHOLE) is is_it


def test_a_tag_says_more_than_a_date() -> None:
    fields = (("if-none-match", '"b"'), ("if-modified-since", THEN))

    assert not is_unchanged(asked(*fields), WHOLE)


def test_a_304_says_what_a_cache_must_know() -> None:
    answer = not_modified(WHOLE)

    assert answer.status == 304
    assert [name for name, _ in answer.fields] == ["etag", "last-modified", "date"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-3", Part(0, 4)),
        ("bytes=4-", Part(4, 10)),
        ("bytes=-3", Part(7, 10)),
        ("bytes=-99", Part(0, 10)),
        ("bytes=8-99", Part(8, 10)),
        ("BYTES=0-0", Part(0, 1)),
        ("bytes=10-", Part(10, 10)),
        ("bytes=99-100", Part(10, 10)),
        ("bytes=-0", Part(10, 10)),
        ("bytes=3-1", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=", None),
        ("bytes=-", None),
    ],
)
def test_one_part_is_understood_and_of_all_else_the_whole_is_given(
    text: str, part: Part | None
) -> None:
    assert part_of(asked(("range", text)), WHOLE, SIZE) == part


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 20))
def test_a_part_lies_within_the_body(first: int, last: int, size: int) -> None:
    part = part_of(asked(("range", f"bytes={first}-{last}")), WHOLE, size)

    assert part is None or 0 <= part.start <= part.end <= size


@pytest.mark.parametrize(
    ("if_range", "is_part"),
    [('"a"', True), ('W/"a"', False), ('"b"', False), (THEN, True), (write_date(5), False)],
)
def test_a_part_is_one_of_the_same_body(if_range: str, is_part: bool) -> None:  # noqa: FBT001
    request = asked(("range", "bytes=0-1"), ("if-range", if_range))

    assert (part_of(request, WHOLE, SIZE) is not None) is is_part


def test_only_get_has_parts_and_only_of_200() -> None:
    fields = ("range", "bytes=0-1")

    assert part_of(asked(fields, method="HEAD"), WHOLE, SIZE) is None
    assert part_of(asked(fields), Response(404, "", 1, ()), SIZE) is None


def test_a_part_says_which_one_it_is() -> None:
    assert value_of(partial(WHOLE, Part(2, 5), SIZE).fields, "content-range") == "bytes 2-4/10"
    outside = partial(WHOLE, Part(10, 10), SIZE)
    assert (outside.status, outside.fields) == (416, (("content-range", "bytes */10"),))


def test_some_conditions_are_the_origins_to_judge() -> None:
    assert is_for_origin(asked(("if-match", '"a"')))
    assert is_for_origin(asked(("if-unmodified-since", THEN)))
    assert not is_for_origin(asked(("if-none-match", '"a"')))


def test_a_request_for_an_answer_has_no_condition_and_one_for_the_whole_no_part() -> None:
    fields = (("if-none-match", '"a"'), ("range", "bytes=0-1"), ("if-range", '"a"'), ("x", "y"))

    assert without_conditions(fields) == fields[1:]
    assert without_parts(fields) == (fields[0], fields[3])
    assert parts_of(fields) == ('"a"', "bytes=0-1")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("bytes 2-4/10", Span(2, 5, 10)),
        ("Bytes  7-9/10", Span(7, 10, 10)),
        ("bytes 2-5/10", None),
        ("bytes 8-10/10", None),
        ("bytes 4-2/10", None),
        ("bytes 2-4/*", None),
        ("bytes */10", None),
        ("bytes 2-4/10, bytes 2-4/10", None),
        ("", None),
    ],
)
def test_a_response_has_the_part_that_it_says_or_none_that_could_be_told(
    text: str, span: Span | None
) -> None:
    response = Response(206, "", 1, (("content-range", text),))

    assert span_of(response, 3) == span


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 25), st.none() | st.integers(0, 25))
def test_what_is_enough_is_all_that_is_asked_for(
    start: int, size: int, first: int, last: int | None
) -> None:
    total = 21
    head = Response(206, "", 1, (("content-range", f"bytes {start}-{start + size - 1}/{total}"),))
    wanted = range(total)[first : None if last is None else last + 1]

    is_enough = is_within(
        asked(("range", f"bytes={first}-{'' if last is None else last}")), head, size
    )

    have = range(start, start + size)
    is_there = bool(wanted) and bool(have) and have[-1] < total and set(wanted) <= set(have)
    assert is_enough == is_there


def test_the_whole_is_enough_and_a_part_is_not_the_whole() -> None:
    part = Response(206, "", 1, (("content-range", "bytes 0-9/10"),))

    assert is_within(asked(("range", "bytes=0-1")), WHOLE, SIZE)
    assert not is_within(asked(), part, SIZE)
    assert not is_within(asked(("range", "bytes=0-1"), method="HEAD"), part, SIZE)
