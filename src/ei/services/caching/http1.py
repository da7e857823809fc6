"""Heads of HTTP/1.1 messages (RFC 9112): read strictly, written in one way.

What two parsers could read in two ways is refused: a cache that reads a message in one way and its
origin in another serves the answer to one client's request to the next client. So a length is said
once and in one manner, lines end with CR LF, and nothing is folded or mended.
"""

import re
from collections.abc import Iterable

import msgspec

MAX_HEAD_BYTES = 32 * 1024
MAX_FIELDS = 128

REASONS = {
    "bad_request_line": (400, "The first line is not `METHOD target HTTP/1.x`."),
    "bad_status_line": (502, "The first line is not `HTTP/1.x code reason`."),
    "bad_version": (505, "The major version of HTTP is not 1."),
    "bad_line_end": (400, "A line ends without CR LF, or has a CR or NUL in its midst."),
    "bad_field": (400, "A line is no `name: value`, or has a space before its colon."),
    "folded_field": (400, "A value goes on in the next line, which RFC 9112 took out of HTTP."),
    "head_too_long": (431, f"The head is longer than {MAX_HEAD_BYTES} bytes."),
    "too_many_fields": (431, f"The head has more than {MAX_FIELDS} fields."),
    "both_lengths": (400, "Content-Length and Transfer-Encoding are both there."),
    "several_lengths": (400, "Content-Length is there more than once, or is a list."),
    "bad_length": (400, "Content-Length is not a number of up to 15 digits."),
    "bad_transfer_encoding": (501, "Transfer-Encoding is not `chunked`, or not of HTTP/1.1."),
    "bad_chunk": (400, "A chunk's size or end is not as RFC 9112 says."),
    "bad_trailer": (400, "What follows the last chunk are no fields, or too many."),
    "bad_host": (400, "Host is missing, there twice, or no name."),
    "too_many_interim": (
        502,
        "More interim responses came before the final one than anybody needs.",
    ),
    "bad_target": (400, "The target is not what this stream was opened for."),
    "bad_opening": (403, "The stream was opened for what its opener may not have, or for nothing."),
    "bad_method": (501, "The method is not one that this cache hands on."),
}
"""Why a message is refused: word, status of the answer to a client, what happened."""

Fields = tuple[tuple[str, str], ...]
"""Names in lower case, values without space around them, in the order in which they came."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_OTHER_VERSION = re.compile(rb".* HTTP/[02-9]\.[0-9]", re.DOTALL)
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|\x00")

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that are for the next recipient alone (RFC 9110 section 7.6.1)."""

_NEVER_FOR_ONE_HOP = frozenset(
    {
        "age",
        "cache-control",
        "content-length",
        "date",
        "etag",
        "expires",
        "host",
        "last-modified",
        "set-cookie",
        "vary",
    }
)


class HttpError(Exception):
    """A message is refused, for a word of `REASONS`.

    Attributes:
        word: Which.
    """

    def __init__(self, word: str) -> None:
        super().__init__(f"{word}: {REASONS[word][1]}")
        self.word = word

    @property
    def status(self) -> int:
        """The status with which a client is answered."""
        return REASONS[self.word][0]


class Request(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The head of a request.

    Attributes:
        method: As it came; methods are case-sensitive.
        target: As it came.
        minor: Of the version: 0 or 1.
        fields: Fields.
    """

    method: str
    target: str
    minor: int
    fields: Fields


class Response(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The head of a response; as `Request`."""

    status: int
    reason: str
    minor: int
    fields: Fields


# -- finding and reading --------------------------------------------------------------------------


def end_of_head(buffer: bytes) -> int | None:
    """Return where the head at the start of `buffer` ends, `None` when more bytes are needed.

    Raises:
        HttpError: It can be no head, however it goes on.
    """
    end = buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    seen = buffer[: MAX_HEAD_BYTES if end < 0 else end + 4]
    if _BARE.search(seen):
        raise HttpError("bad_line_end")
    if end < 0 and len(buffer) >= MAX_HEAD_BYTES:
        raise HttpError("head_too_long")
    return None if end < 0 else end + 4


def without_empty_lines(buffer: bytes) -> bytes:
    """Return what follows the empty lines that some clients send after a body (RFC 9112 2.2)."""
    while buffer.startswith(b"\r\n"):
        buffer = buffer[2:]
    return buffer


def read_request(head: bytes) -> Request:
    """Read a whole head, as `end_of_head` found it.

    Raises:
        HttpError: It is not one.
    """
    first, *lines = head[:-4].split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if found is None:
        raise HttpError("bad_version" if _OTHER_VERSION.fullmatch(first) else "bad_request_line")
    method, target, minor = found.groups()
    return Request(
        method.decode("ascii"), target.decode("latin-1"), int(minor), _read_fields(lines)
    )


def read_response(head: bytes) -> Response:
    """As `read_request`, of a response."""
    first, *lines = head[:-4].split(b"\r\n")
    found = _STATUS_LINE.fullmatch(first)
    if found is None:
        raise HttpError("bad_status_line")
    minor, status, reason = found.groups()
    return Response(int(status), (reason or b"").decode("latin-1"), int(minor), _read_fields(lines))


def read_field(line: bytes) -> tuple[str, str]:
    """Read one line `name: value`.

    Raises:
        HttpError: It is not one.
    """
    if line[:1] in (b" ", b"\t"):
        raise HttpError("folded_field")
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name) or _BAD_VALUE.search(value):
        raise HttpError("bad_field")
    return name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")


def _read_fields(lines: list[bytes]) -> Fields:
    if len(lines) > MAX_FIELDS:
        raise HttpError("too_many_fields")
    return tuple(map(read_field, lines))


# -- fields ---------------------------------------------------------------------------------------


def values_of(fields: Fields, name: str) -> list[str]:
    """Return the values of all fields of that name (in lower case)."""
    return [value for other, value in fields if other == name]


def value_of(fields: Fields, name: str) -> str | None:
    """Return the values of that name as one, joined with commas; `None` when there is none."""
    joined = None
    for other, value in fields:
        if other == name:
            joined = value if joined is None else f"{joined}, {value}"
    return joined


def members_of(fields: Fields, name: str) -> list[str]:
    """Return the members of a field that is a plain list, in lower case."""
    joined = value_of(fields, name)
    if joined is None:
        return []
    return [member.strip().lower() for member in joined.split(",") if member.strip()]


def without(fields: Fields, names: Iterable[str]) -> Fields:
    """Return the fields of other names."""
    gone = frozenset(names)
    return tuple([field for field in fields if field[0] not in gone])


def end_to_end(fields: Fields) -> Fields:
    """Return the fields that are not for the next recipient alone.

    Connection may name more of them, but none by which a message is framed, routed or kept.
    """
    named = frozenset(members_of(fields, "connection")) - _NEVER_FOR_ONE_HOP
    return without(fields, _HOP_BY_HOP | named)


def is_kept_alive(minor: int, fields: Fields) -> bool:
    """Whether the sender of this head will go on with its connection."""
    options = members_of(fields, "connection")
    return "close" not in options and (minor == 1 or "keep-alive" in options)


# -- writing --------------------------------------------------------------------------------------


def write_request(request: Request) -> bytes:
    """Return the bytes of a head; its version is ours, HTTP/1.1."""
    return _written(f"{request.method} {request.target} HTTP/1.1", request.fields)


def write_response(response: Response) -> bytes:
    """Return the bytes of a head; its version is ours, HTTP/1.1."""
    return _written(f"HTTP/1.1 {response.status} {response.reason}", response.fields)


def _written(first: str, fields: Fields) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")
