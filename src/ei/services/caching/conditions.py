"""What a request asks beside the target: only if it changed, only a part (RFC 9110 13 and 14)."""

import re
from typing import NamedTuple

from ei.services.caching.fields import read_date
from ei.services.caching.http1 import Fields, Request, Response, value_of, values_of, without

_RANGE = re.compile(
    r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*", re.IGNORECASE
)
_TAG = re.compile(r'(?:W/)?"[!#-~\x80-\xff]*"|[^\s,"]+')
_SPAN = re.compile(r"bytes[ \t]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)
_OF_ORIGINS = ("if-match", "if-unmodified-since")
_OF_CHANGE = ("if-none-match", "if-modified-since")
_OF_PARTS = ("if-range", "range")
_KEPT_BY_304 = frozenset(
    {
        "age",
        "cache-control",
        "cache-status",
        "content-location",
        "date",
        "etag",
        "expires",
        "last-modified",
        "vary",
        "via",
    }
)
_OK = 200
_PARTIAL = 206


class Part(NamedTuple):
    """The bytes of a body from `start` up to, without, `end`."""

    start: int
    end: int


class Span(NamedTuple):
    """As `Part`, of a body of `total` bytes."""

    start: int
    end: int
    total: int


def is_for_origin(request: Request) -> bool:
    """Whether the request has a condition that only the origin can judge."""
    return any(value_of(request.fields, name) is not None for name in _OF_ORIGINS)


def without_conditions(fields: Fields) -> Fields:
    """Return the fields of a request that wants an answer, also to one who has it."""
    return without(fields, _OF_CHANGE)


def without_parts(fields: Fields) -> Fields:
    """Return the fields of a request for the whole."""
    return without(fields, _OF_PARTS)


def parts_of(fields: Fields) -> tuple[str, ...]:
    """Return what a request says of the part that it wants; nothing if it wants the whole."""
    return tuple(value for name in _OF_PARTS for value in values_of(fields, name))


def is_unchanged(request: Request, response: Response) -> bool:
    """Whether what the client has is still so: it gets a 304 (section 13.2.2)."""
    wanted = value_of(request.fields, "if-none-match")
    if wanted is not None:
        kept = value_of(response.fields, "etag")
        tags = [_strong(tag) for tag in _TAG.findall(wanted)]
        return wanted.strip() == "*" or (kept is not None and _strong(kept) in tags)
    since = value_of(request.fields, "if-modified-since")
    if since is None:
        return False
    since_s = read_date(since)
    modified_s = read_date(
        value_of(response.fields, "last-modified") or value_of(response.fields, "date")
    )
    return (
        since_s is not None
        and modified_s is not None
        and modified_s <= since_s
        and response.status == _OK
    )


def not_modified(response: Response) -> Response:
    """Return the 304 in the place of a response."""
    fields = tuple(field for field in response.fields if field[0] in _KEPT_BY_304)
    return Response(304, "Not Modified", 1, fields)


def span_of(response: Response, size: int) -> Span | None:
    """Return what a response has of its body: the whole, or the part that a 206 says.

    `None` for a 206 with several parts, or of a body of which nobody knows how long it is, and for
    one that has not as many bytes as it says.

    Args:
        size: Bytes that it has.
    """
    if response.status != _PARTIAL:
        return Span(0, size, size)
    found = _SPAN.fullmatch(value_of(response.fields, "content-range") or "")
    if found is None:
        return None
    first, last, total = map(int, found.groups())
    is_part = first <= last < total and last + 1 - first == size
    return Span(first, last + 1, total) if is_part else None


def part_of(request: Request, response: Response, size: int) -> Part | None:
    """Return which part of a body is asked for; `None` for the whole.

    Several parts at once are answered by the whole, as section 14.2 allows. A part with
    `start == end` lies outside: it is a 416.

    Args:
        size: Of the whole body.
    """
    wanted = value_of(request.fields, "range")
    if wanted is None or request.method != "GET" or response.status not in (_OK, _PARTIAL):
        return None
    if not _is_the_same(value_of(request.fields, "if-range"), response):
        return None
    found = _RANGE.fullmatch(wanted)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        return Part(size - length, size)
    if last is not None and int(last) < int(first):
        return None
    start = min(int(first), size)
    return Part(start, size if last is None else max(start, min(int(last) + 1, size)))


def is_within(request: Request, response: Response, size: int) -> bool:
    """Whether what a response has of its body is enough for a request.

    Args:
        size: Bytes that it has.
    """
    if response.status != _PARTIAL:
        return True
    span = span_of(response, size)
    part = None if span is None else part_of(request, response, span.total)
    return span is not None and part is not None and span.start <= part.start < part.end <= span.end


def partial(response: Response, part: Part, size: int) -> Response:
    """Return the head of a part: 206, or 416 when it lies outside.

    Args:
        size: Of the whole body.
    """
    fields = without(response.fields, ["content-length", "content-range"])
    if part.start == part.end:
        return Response(416, "Range Not Satisfiable", 1, (("content-range", f"bytes */{size}"),))
    span = ("content-range", f"bytes {part.start}-{part.end - 1}/{size}")
    return Response(_PARTIAL, "Partial Content", 1, (*fields, span))


def _is_the_same(if_range: str | None, response: Response) -> bool:
    """Whether If-Range allows a part of this response (section 13.1.5): compared strongly."""
    if if_range is None:
        return True
    if if_range.startswith('"'):
        return if_range == value_of(response.fields, "etag")
    modified_s = read_date(value_of(response.fields, "last-modified"))
    date_s = read_date(value_of(response.fields, "date"))
    is_strong = modified_s is not None and date_s is not None and date_s - modified_s >= 1
    return is_strong and read_date(if_range) == modified_s


def _strong(tag: str) -> str:
    return tag.strip().removeprefix("W/")
