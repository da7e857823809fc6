"""Why an end gives a stream up: the number that the other end gets, and what it means. Pure."""

NO_LISTENER = 1
"""Nobody listens on the port of a stream, or it named none."""
ABORTED = 2
"""The application gave it up."""
SERVER_REFUSED = 3
SERVER_SILENT = 4
LOST = 5
BUSY = 6
IDLE = 7

HOST_CODES = {
    NO_LISTENER: ("no_listener", "nobody listens there"),
    ABORTED: ("aborted", "its program gave the stream up"),
    SERVER_REFUSED: ("refused", "the server behind its gateway refuses connections"),
    SERVER_SILENT: ("unreachable", "the server behind its gateway does not answer"),
    LOST: ("lost", "the connection behind it broke"),
    BUSY: ("busy", "it has as many connections as it allows"),
    IDLE: ("deadline", "nothing came or went for too long"),
}
"""What hosts say to each other: a word for programs, and what it means."""

NODE_CODES = (
    ("closed", "its service closed the stream"),
    ("reset", "the other end gave the stream up"),
    ("refused", "the other end refuses connections"),
    ("unreachable", "the other end cannot be reached"),
    ("not_allowed", "its operator does not allow it"),
    ("deadline", "it took too long"),
    ("stream_overrun", "its service wrote more than there was room for"),
    ("lost", "the connection behind it broke"),
    ("too_many_streams", "it has as many streams as it allows"),
    ("ended", "it takes no more"),
    ("too_late", "what was missed is not kept any more"),
    ("bad_tls", "the other end broke the rules of TLS, or agreed to none"),
)
"""What a node says of a stream to one of its services, by number."""


def meaning_of(code: int, *, of_node: bool) -> tuple[str, str]:
    """Return the word for a code and what it means; others have codes of their own making."""
    if of_node:
        known = NODE_CODES[code] if code < len(NODE_CODES) else None
    else:
        known = HOST_CODES.get(code)
    return known or ("reset", f"code {code}")
