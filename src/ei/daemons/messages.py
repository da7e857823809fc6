r"""What is said on an admin socket: one JSON object a line, one answer a request, in order.

    {"verb": "ping", "to": "bob.isp-b", "deadline_s": 2}\n
    {"schema": "ei.ping/1", ...}\n
    {"schema": "ei.error/1", "kind": "DeadlineError", "cause": "...", "remedy": "..."}\n

Answers of the schema `ei.progress/1` may come before the last one of a request.
A client that says nothing, or reads nothing, for 30 s is hung up on.
"""

from collections.abc import Mapping

import msgspec

from ei import errors
from ei.errors import EiError, LocalError, PeerError, StreamError

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_PATH_BYTES = 107
"""Of a Unix socket: `sun_path` has 108 with its zero (unix(7))."""
PROGRESS = "ei.progress/1"
ERROR = "ei.error/1"

Answer = Mapping[str, object]


class Request(msgspec.Struct, frozen=True):
    """One request, its arguments not yet checked: each verb has a Struct of its own for them."""

    verb: str
    arguments: dict[str, object]


def encode_line(message: Mapping[str, object]) -> bytes:
    """Return one line, its end included."""
    return msgspec.json.encode(message) + b"\n"


def parse_request(line: bytes) -> Request:
    """Parse one line from a client.

    Raises:
        PeerError: not a JSON object with a `verb`.
    """
    message = _parse_object(line)
    verb = message.pop("verb", None)
    if not isinstance(verb, str):
        raise PeerError('a request is one JSON object with a "verb", such as {"verb": "status"}')
    return Request(verb, message)


def parse_answer(line: bytes) -> dict[str, object]:
    """Parse one line from a daemon.

    Raises:
        PeerError: not a JSON object with a `schema`.
        EiError: the daemon answers with an error; it is raised here as the same type.
    """
    message = _parse_object(line)
    if message.get("schema") == ERROR:
        raise _error_of(message)
    if not isinstance(message.get("schema"), str):
        raise PeerError('an answer is one JSON object with a "schema"')
    return message


def answer_of(error: EiError) -> dict[str, object]:
    """Return the answer that tells a client about `error`."""
    answer: dict[str, object] = {
        "schema": ERROR,
        "kind": type(error).__name__,
        "cause": str(error),
        "remedy": error.remedy,
    }
    if isinstance(error, StreamError):
        answer["stream_kind"] = error.kind
    return answer


def _parse_object(line: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError(f"not a JSON object: {error}") from error


def _error_of(message: Mapping[str, object]) -> EiError:
    cause, remedy = str(message.get("cause", "")), str(message.get("remedy", ""))
    kind = getattr(errors, str(message.get("kind", "")), None)
    if kind is StreamError:
        return StreamError(cause, kind=str(message.get("stream_kind", "")), remedy=remedy)
    if isinstance(kind, type) and issubclass(kind, EiError):
        return kind(cause, remedy=remedy)
    return LocalError(cause, remedy=remedy)
