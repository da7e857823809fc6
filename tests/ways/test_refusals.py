"""What went wrong, in the words of HTTP and of SOCKS."""

import pytest

from ei.errors import (
    ConflictError,
    DeadlineError,
    DeniedError,
    EiError,
    LimitError,
    NotFoundError,
    StreamError,
    UnreachableError,
)
from ei.ways.refusals import refusal_of
from ei.ways.socks import Reply


@pytest.mark.parametrize(
    ("error", "status", "reply"),
    [
        (StreamError("it refuses", kind="refused"), 502, Reply.REFUSED),
        (StreamError("nobody listens", kind="no_listener"), 502, Reply.REFUSED),
        (StreamError("not allowed", kind="not_allowed"), 502, Reply.NOT_ALLOWED),
        (StreamError("full", kind="busy"), 503, Reply.FAILURE),
        (StreamError("the pipe went down", kind="node_lost"), 502, Reply.FAILURE),
        (DeadlineError("no answer"), 504, Reply.HOST_UNREACHABLE),
        (DeniedError("not allowed"), 502, Reply.NOT_ALLOWED),
        (NotFoundError("no record"), 502, Reply.HOST_UNREACHABLE),
        (UnreachableError("no directory"), 502, Reply.HOST_UNREACHABLE),
        (LimitError("too many"), 503, Reply.FAILURE),
        (ConflictError("anything else"), 502, Reply.FAILURE),
    ],
)
def test_each_error_has_a_status_and_a_reply(error: EiError, status: int, reply: Reply) -> None:
    refusal = refusal_of(error)

    assert (refusal.status, refusal.reply, refusal.sentence) == (status, reply, str(error))


def test_the_remedy_comes_along() -> None:
    assert refusal_of(NotFoundError("no record", remedy="Enrol it.")).remedy == "Enrol it."
