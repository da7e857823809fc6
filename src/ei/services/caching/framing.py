"""Where the body of an HTTP/1.1 message ends (RFC 9112 sections 6 and 7), piece by piece.

A body's state is a value, so that a service can keep it between two events.
"""

import re
from typing import Literal

import msgspec

from ei.services.caching.http1 import (
    Fields,
    HttpError,
    Request,
    Response,
    members_of,
    read_field,
    values_of,
)

MAX_LINE_BYTES = 4_096
"""Of a chunk's size with what is said after it, or of one trailer."""
MAX_TRAILERS_BYTES = 8_192

_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t -~\x80-\xff]*)?")
_NO_BODY = frozenset({204, 304})
_FINAL = 200
"""The lowest status that is no interim one."""


class Body(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What of a body is still to come.

    Attributes:
        kind: How its end is found: `length` and `none` by `left`, `close` by that of the stream.
        left: Bytes; of the chunk at hand when `chunked`.
        stage: Of a chunked body: what comes next.
        line: Bytes of a line that is not whole yet.
        trailers: Bytes of trailers so far.
        is_done: Nothing is.
    """

    kind: Literal["none", "length", "chunked", "close"]
    left: int = 0
    stage: Literal["size", "content", "end", "trailers"] = "size"
    line: bytes = b""
    trailers: int = 0
    is_done: bool = False

    @property
    def length(self) -> int | None:
        """How long the whole body is, asked before any of it was read."""
        return None if self.kind in ("chunked", "close") else self.left


NO_BODY = Body("none", is_done=True)


def body_of_request(request: Request) -> Body:
    """Return how the body of a request is framed.

    Raises:
        HttpError: It is said in a manner that others could read otherwise.
    """
    return _said_body(request.minor, request.fields) or NO_BODY


def body_of_response(response: Response, method: str) -> Body:
    """Return how the body of the response to a request with `method` is framed.

    Raises:
        HttpError: As `body_of_request`.
    """
    said = _said_body(response.minor, response.fields)
    if method == "HEAD" or response.status in _NO_BODY or response.status < _FINAL:
        return NO_BODY
    return said or Body("close")


def _said_body(minor: int, fields: Fields) -> Body | None:
    codings = members_of(fields, "transfer-encoding")
    lengths = values_of(fields, "content-length")
    if codings or values_of(fields, "transfer-encoding"):
        if lengths:
            raise HttpError("both_lengths")
        if codings != ["chunked"] or minor == 0:
            raise HttpError("bad_transfer_encoding")
        return Body("chunked")
    if not lengths:
        return None
    if len(lengths) > 1 or "," in lengths[0]:
        raise HttpError("several_lengths")
    if not _LENGTH.fullmatch(lengths[0]):
        raise HttpError("bad_length")
    length = int(lengths[0])
    return Body("length", length) if length else Body("length", is_done=True)


def feed(body: Body, data: bytes) -> tuple[Body, bytes, bytes]:
    """Take bytes that came after a head.

    Returns:
        What is still to come, content, and the bytes after the body's end.

    Raises:
        HttpError: They are not framed as was said.
    """
    if body.is_done:
        return body, b"", data
    if body.kind == "close":
        return body, data, b""
    if body.kind == "length":
        content, rest = data[: body.left], data[body.left :]
        left = body.left - len(content)
        return Body("length", left, is_done=not left), content, rest
    return _feed_chunks(body, data)


def _feed_chunks(body: Body, data: bytes) -> tuple[Body, bytes, bytes]:
    content: list[bytes] = []
    while data and not body.is_done:
        if body.stage == "content":
            content.append(data[: body.left])
            data = data[body.left :]
            left = body.left - len(content[-1])
            body = msgspec.structs.replace(body, left=left, stage="content" if left else "end")
            continue
        line, data = _take_line(body.line + data)
        if line is None:
            return msgspec.structs.replace(body, line=data), b"".join(content), b""
        body = _after_line(msgspec.structs.replace(body, line=b""), line)
    return body, b"".join(content), data


def _take_line(data: bytes) -> tuple[bytes | None, bytes]:
    """Return a line and the rest; or `None` and the beginning of a line."""
    end = data.find(b"\n", 0, MAX_LINE_BYTES)
    line = data[: end - 1] if end > 0 else data[:MAX_LINE_BYTES]
    if end == 0 or (end > 0 and data[end - 1 : end] != b"\r") or b"\r" in line[:-1]:
        raise HttpError("bad_chunk")
    if end > 0 and line.endswith(b"\r"):
        raise HttpError("bad_chunk")
    if end < 0 and len(data) >= MAX_LINE_BYTES:
        raise HttpError("bad_chunk")
    return (None, data) if end < 0 else (line, data[end + 1 :])


def _after_line(body: Body, line: bytes) -> Body:
    match body.stage:
        case "size":
            found = _CHUNK.fullmatch(line)
            if found is None:
                raise HttpError("bad_chunk")
            left = int(found[1], 16)
            return Body("chunked", left, "content" if left else "trailers")
        case "end" if not line:
            return Body("chunked")
        case "trailers" if not line:
            return Body("chunked", stage="trailers", is_done=True)
        case "trailers":
            trailers = body.trailers + len(line)
            try:
                _ = read_field(line)
            except HttpError as error:
                raise HttpError("bad_trailer") from error
            if trailers > MAX_TRAILERS_BYTES:
                raise HttpError("bad_trailer")
            return Body("chunked", stage="trailers", trailers=trailers)
        case _:
            raise HttpError("bad_chunk")


CHUNK_BYTES = 16
"""At most so many bytes are added by `chunk` to a piece."""
LAST_CHUNK = b"0\r\n\r\n"


def chunk(content: bytes) -> bytes:
    """Return content as one chunk, nothing for none: an empty chunk would be the last."""
    return b"%x\r\n%s\r\n" % (len(content), content) if content else b""
