"""What heads of HTTP/1.1 are read, and which are refused, in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.services.caching.http1 import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    REASONS,
    HttpError,
    Request,
    Response,
    end_of_head,
    end_to_end,
    is_kept_alive,
    members_of,
    read_request,
    read_response,
    value_of,
    without_empty_lines,
    write_request,
    write_response,
)

TOKENS = st.from_regex(r"[a-z0-9!#$%&'*+.^_`|~-]{1,12}", fullmatch=True)
VALUES = st.from_regex(r"([!-~]([ \t!-~]{0,30}[!-~])?)?", fullmatch=True)
FIELDS = st.lists(st.tuples(TOKENS, VALUES), max_size=8).map(tuple)


def refusal(head: bytes) -> str:
    with pytest.raises(HttpError) as caught:
        _ = read(head)
    return caught.value.word


def read(head: bytes) -> Request | None:
    return None if end_of_head(head) is None else read_request(head)


@given(TOKENS.map(str.upper), st.from_regex(r"/[!-~]{0,40}", fullmatch=True), FIELDS)
def test_a_request_that_is_written_is_read_again(
    method: str, target: str, fields: tuple[tuple[str, str], ...]
) -> None:
    request = Request(method, target, 1, fields)

    head = write_request(request)

    assert end_of_head(head) == len(head)
    assert read_request(head) == request


@given(st.integers(100, 599), st.from_regex(r"[ -~]{0,20}", fullmatch=True), FIELDS)
def test_a_response_that_is_written_is_read_again(
    status: int, reason: str, fields: tuple[tuple[str, str], ...]
) -> None:
    response = Response(status, reason, 1, fields)

    assert read_response(write_response(response)) == response


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    head = data + b"\r\n\r\n"

    words: list[str] = []
    for read_head in (read_request, read_response):
        try:
            _ = read_head(head[: end_of_head(head)])
        except HttpError as error:
            words.append(error.word)

    assert set(words) <= set(REASONS)


def test_a_head_is_found_once_it_is_whole() -> None:
    head = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"

    assert [end_of_head(head[:length]) for length in range(len(head))] == [None] * len(head)
    assert end_of_head(head + b"body\n") == len(head)


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (b"GET /\r\n\r\n", "bad_request_line"),
        (b"GET  / HTTP/1.1\r\n\r\n", "bad_request_line"),
        (b"GET /a b HTTP/1.1\r\n\r\n", "bad_request_line"),
        (b"GET / HTTP/2.0\r\n\r\n", "bad_version"),
        (b"GET / HTTP/1.1\nhost: a\r\n\r\n", "bad_line_end"),
        (b"GET / HTTP/1.1\r\nhost: a\rb: c\r\n\r\n", "bad_line_end"),
        (b"GET / HTTP/1.1\r\nhost: a\0\r\n\r\n", "bad_line_end"),
        (b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", "bad_field"),
        (b"GET / HTTP/1.1\r\nhost\r\n\r\n", "bad_field"),
        (b"GET / HTTP/1.1\r\nho st: a\r\n\r\n", "bad_field"),
        (b"GET / HTTP/1.1\r\nhost: a\x7f\r\n\r\n", "bad_field"),
        (b"GET / HTTP/1.1\r\n: a\r\n\r\n", "bad_field"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", "folded_field"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_FIELDS + 1) + b"\r\n", "too_many_fields"),
        (b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD_BYTES, "head_too_long"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(lines: bytes, word: str) -> None:
    assert refusal(lines) == word


def test_empty_lines_before_a_request_are_passed_over() -> None:
    assert without_empty_lines(b"\r\n\r\nGET") == b"GET"


def test_fields_for_the_next_hop_alone_end_there() -> None:
    fields = (("connection", "close, x-mine"), ("x-mine", "1"), ("te", "trailers"), ("accept", "*"))

    assert end_to_end(fields) == (("accept", "*"),)


def test_fields_of_one_name_are_one_list() -> None:
    fields = (("vary", "A , b"), ("other", ""), ("vary", "C"))

    assert value_of(fields, "vary") == "A , b, C"
    assert members_of(fields, "vary") == ["a", "b", "c"]
    assert value_of(fields, "absent") is None


@pytest.mark.parametrize(
    ("minor", "connection", "is_kept"),
    [(1, "", True), (1, "close", False), (0, "", False), (0, "Keep-Alive", True)],
)
def test_who_goes_on_with_a_connection_says_so(minor: int, connection: str, is_kept: bool) -> None:  # noqa: FBT001
    assert is_kept_alive(minor, (("connection", connection),)) is is_kept
