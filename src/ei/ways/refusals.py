"""What a program is told that cannot have a connection: by HTTP, by SOCKS, in words. Pure."""

from dataclasses import dataclass
from http import HTTPStatus

from ei.errors import (
    DeadlineError,
    DeniedError,
    EiError,
    LimitError,
    NotFoundError,
    StreamError,
    UnreachableError,
)
from ei.ways.socks import Reply


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no connection.

    Attributes:
        status: Of HTTP.
        reply: Of SOCKS (RFC 1928).
        sentence: What was seen.
        remedy: What to do; may be empty.
    """

    status: HTTPStatus
    reply: Reply
    sentence: str
    remedy: str = ""


KINDS = {
    "refused": (HTTPStatus.BAD_GATEWAY, Reply.REFUSED),
    "no_listener": (HTTPStatus.BAD_GATEWAY, Reply.REFUSED),
    "unreachable": (HTTPStatus.BAD_GATEWAY, Reply.HOST_UNREACHABLE),
    "not_allowed": (HTTPStatus.BAD_GATEWAY, Reply.NOT_ALLOWED),
    "busy": (HTTPStatus.SERVICE_UNAVAILABLE, Reply.FAILURE),
    "too_many_streams": (HTTPStatus.SERVICE_UNAVAILABLE, Reply.FAILURE),
    "deadline": (HTTPStatus.GATEWAY_TIMEOUT, Reply.HOST_UNREACHABLE),
    "timed_out": (HTTPStatus.GATEWAY_TIMEOUT, Reply.HOST_UNREACHABLE),
    "crowded_out": (HTTPStatus.SERVICE_UNAVAILABLE, Reply.FAILURE),
    "handshake_timeout": (HTTPStatus.GATEWAY_TIMEOUT, Reply.HOST_UNREACHABLE),
}
"""By the kind of a `StreamError`; all others are a bad gateway that fails."""


def refusal_of(error: EiError) -> Refusal:
    """Return what a program is told of an error."""
    match error:
        case StreamError():
            failed = (HTTPStatus.BAD_GATEWAY, Reply.FAILURE)
            status, reply = KINDS.get(error.kind, failed)
        case DeadlineError():
            status, reply = HTTPStatus.GATEWAY_TIMEOUT, Reply.HOST_UNREACHABLE
        case DeniedError():
            status, reply = HTTPStatus.BAD_GATEWAY, Reply.NOT_ALLOWED
        case NotFoundError() | UnreachableError():
            status, reply = HTTPStatus.BAD_GATEWAY, Reply.HOST_UNREACHABLE
        case LimitError():
            status, reply = HTTPStatus.SERVICE_UNAVAILABLE, Reply.FAILURE
        case _:
            status, reply = HTTPStatus.BAD_GATEWAY, Reply.FAILURE
    return Refusal(status, reply, str(error), error.remedy)
