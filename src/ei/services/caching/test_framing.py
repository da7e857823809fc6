"""Where bodies end, whatever pieces they come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.services.caching.framing import (
    LAST_CHUNK,
    NO_BODY,
    Body,
    body_of_request,
    body_of_response,
    chunk,
    feed,
)
from ei.services.caching.http1 import Fields, HttpError, Request, Response


def request(*fields: tuple[str, str], minor: int = 1) -> Request:
    return Request("POST", "/", minor, fields)


def fed(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """Feed pieces; return content, what follows, and whether the end was found."""
    content = rest = b""
    for piece in pieces:
        body, more, left = feed(body, piece)
        content, rest = content + more, rest + left
    return content, rest, body.is_done


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(st.binary(max_size=50)), st.binary(max_size=20), st.lists(st.integers(0, 10_000)))
def test_chunks_are_read_the_same_however_they_are_split(
    parts: list[bytes], after: bytes, cuts: list[int]
) -> None:
    data = b"".join(map(chunk, parts)) + LAST_CHUNK

    content, rest, is_done = fed(Body("chunked"), split(data + after, cuts))

    assert (content, rest, is_done) == (b"".join(parts), after, True)


@given(st.binary(max_size=99), st.lists(st.integers(0, 10_000)))
def test_whatever_comes_as_chunks_is_refused_or_read_the_same_however_it_is_split(
    data: bytes, cuts: list[int]
) -> None:
    def outcome(pieces: list[bytes]) -> object:
        try:
            return fed(Body("chunked"), pieces)
        except HttpError as error:
            return error.word

    assert outcome(split(data, cuts)) == outcome([data])


@given(st.binary(max_size=60), st.integers(1, 40), st.lists(st.integers(0, 100)))
def test_a_body_of_known_length_ends_there(data: bytes, length: int, cuts: list[int]) -> None:
    content, rest, is_done = fed(Body("length", length), split(data, cuts))

    assert (content, rest) == (data[:length], data[length:])
    assert is_done is (len(data) >= length)


def test_extensions_of_chunks_and_trailers_are_passed_over() -> None:
    data = b"3;name=value\r\nabc\r\n0\r\nx-sum: 1\r\n\r\nGET"

    assert fed(Body("chunked"), [data]) == (b"abc", b"GET", True)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"g\r\n", "bad_chunk"),
        (b"-1\r\n", "bad_chunk"),
        (b"0x3\r\n", "bad_chunk"),
        (b"\r\n", "bad_chunk"),
        (b"3\nabc\r\n", "bad_chunk"),
        (b"3;a\rb\r\n", "bad_chunk"),
        (b"3\r\r\nabc", "bad_chunk"),
        (b"3\r\nabcd\r\n", "bad_chunk"),
        (b"fffffffffffff\r\n", "bad_chunk"),
        (b"3" + b" " * 5_000, "bad_chunk"),
        (b"0\r\nno field\r\n\r\n", "bad_trailer"),
        (
            b"0\r\n" + b"a: " + b"b" * 4_000 + b"\r\na: " + b"b" * 4_000 + b"\r\nc: d" * 99,
            "bad_trailer",
        ),
    ],
)
def test_chunks_that_are_none_are_refused(data: bytes, word: str) -> None:
    with pytest.raises(HttpError, match=word):
        _ = fed(Body("chunked"), [data])


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ((("content-length", "3"), ("transfer-encoding", "chunked")), "both_lengths"),
        ((("content-length", "3"), ("content-length", "3")), "several_lengths"),
        ((("content-length", "3, 3"),), "several_lengths"),
        ((("content-length", "+3"),), "bad_length"),
        ((("content-length", "0x3"),), "bad_length"),
        ((("content-length", ""),), "bad_length"),
        ((("content-length", "٣"),), "bad_length"),
        ((("content-length", "9" * 16),), "bad_length"),
        ((("transfer-encoding", "gzip, chunked"),), "bad_transfer_encoding"),
        ((("transfer-encoding", "xchunked"),), "bad_transfer_encoding"),
        ((("transfer-encoding", ""),), "bad_transfer_encoding"),
        (
            (("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")),
            "bad_transfer_encoding",
        ),
    ],
)
def test_a_length_is_said_once_and_in_one_way(fields: Fields, word: str) -> None:
    with pytest.raises(HttpError, match=word):
        _ = body_of_request(request(*fields))
    with pytest.raises(HttpError, match=word):
        _ = body_of_response(Response(200, "OK", 1, fields), "GET")


def test_chunks_are_of_http_1_1() -> None:
    with pytest.raises(HttpError, match="bad_transfer_encoding"):
        _ = body_of_request(request(("transfer-encoding", "chunked"), minor=0))


def test_a_request_without_length_has_no_body() -> None:
    assert body_of_request(request()) == NO_BODY


@pytest.mark.parametrize(
    ("status", "method", "kind"),
    [
        (200, "GET", "close"),
        (200, "HEAD", "none"),
        (204, "GET", "none"),
        (304, "GET", "none"),
        (103, "GET", "none"),
    ],
)
def test_a_response_without_length_ends_with_its_stream_or_has_no_body(
    status: int, method: str, kind: str
) -> None:
    assert body_of_response(Response(status, "", 1, ()), method).kind == kind


def test_a_length_that_describes_another_body_is_not_that_of_this_one() -> None:
    response = Response(304, "", 1, (("content-length", "9"),))

    assert body_of_response(response, "GET") == NO_BODY
