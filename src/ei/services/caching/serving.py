"""The side of a client: heads and bodies go out as far as its window lets them."""

from ei.sdk import CloseStream, ReadStream, SetTimer, WriteStream
from ei.services.caching import conditions, contents
from ei.services.caching.bodies import PIECE_BYTES
from ei.services.caching.fields import write_date
from ei.services.caching.framing import CHUNK_BYTES, LAST_CHUNK, chunk
from ei.services.caching.http1 import (
    REASONS,
    Fields,
    Response,
    value_of,
    without,
    write_response,
)
from ei.services.caching.rules import NAME, Stored, age_of
from ei.services.caching.shelf import Kept
from ei.services.caching.state import (
    Client,
    Content,
    Desk,
    Idle,
    Reading,
    Waiting,
    key_of_number,
)

WAKE = b"wake"
STALLED = b"stop"
"""With a stream: until then its client takes something."""
WAKEN_AT_ONCE = 64
"""Readers of one body that are served in one event; the rest follows."""
WRITTEN_AT_ONCE = 256 * 1024
"""Bytes after which no further reader is served in one event."""
AGE_FIELD = "x-ei-age-ms"
"""Between nodes of a tier: the age of an answer, exactly enough for purges."""

_OURS = frozenset({"content-length", "via", "cache-status"})
"""Said anew by each hop."""
_OURS_OR_FOR_US = _OURS | {"surrogate-control"}
_NO_LENGTH = frozenset({204, 304})
SENTENCES = {
    "bad_length": "The body ended before its time.",
    "broken_off": "The server broke off in the midst of its answer.",
    "closed": "The stream to the server was given up.",
    "deadline": "The server did not answer in time.",
    "ended": "The server ended the connection without an answer.",
    "head_too_slow": "The head of the request did not come in time.",
    "lost": "The connection to the server was lost.",
    "not_allowed": "The operator of this node does not allow it: [internet] in its node.toml.",
    "only_if_cached": "It is not kept here, and nothing else was wanted.",
    "refused": "The server refuses connections.",
    "reset": "The server broke the connection.",
    "too_many_connections": "Too many wait for this server.",
    "too_many_streams": "The node has as many streams as it allows.",
    "too_many_waiters": "Too many wait for this page.",
    "unreachable": "The server cannot be reached, or its name has no address.",
}
"""Why there is no answer, beside the reasons of HTTP."""

_TEXT = {
    400: "Bad Request",
    403: "Forbidden",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


# -- answers --------------------------------------------------------------------------------------


def answer_kept(desk: Desk, client: Client, kept: Kept, *, is_on_disk: bool, detail: str) -> None:
    """Answer with what is kept: the whole, a part, or that it is unchanged."""
    request, stored = client.request, kept.stored
    span = conditions.span_of(stored.response, kept.size)
    if request is None or span is None:
        return
    head, start, end = stored.response, 0, kept.size
    if conditions.is_unchanged(request, head):
        head, end = conditions.not_modified(head), 0
    else:
        part = conditions.part_of(request, head, span.total)
        if part is not None:
            head = conditions.partial(head, part, span.total)
            start, end = part.start - span.start, part.end - span.start
    fields = (*head.fields, ("age", str(int(age_of(stored, desk.ctx.unix_s)))))
    if client.is_tier:
        fields += ((AGE_FIELD, str(int(1_000 * age_of(stored, desk.ctx.unix_s)))),)
    head = Response(head.status, head.reason, head.minor, fields)
    say(desk, client, head, length=end - start, detail=detail)
    client.doing = Idle()
    if request.method == "HEAD" or start == end:
        return
    if kept.size <= PIECE_BYTES and len(client.out) + end - start <= client.window:
        # It leaves at once: nobody has to remember who reads what.
        body = desk.shelf(is_on_disk=is_on_disk).bodies
        client.out += body.read(kept.body, start, end - start)
        return
    content = contents.hold(desk, kept, is_on_disk=is_on_disk)
    client.doing = Reading(content.body, start, end, is_chunked=False)


def answer_coming(  # noqa: PLR0913 what tells one answer from another
    desk: Desk, client: Client, content: Content, head: Response, *, length: int | None, detail: str
) -> None:
    """Answer with a body that is on its way."""
    request = client.request
    is_chunked = length is None and request is not None and request.minor > 0
    if length is None and not is_chunked:
        client.is_kept_alive = False
    say(desk, client, head, length=length, detail=detail, is_chunked=is_chunked)
    if length == 0 or (request is not None and request.method == "HEAD"):
        client.doing = Idle()
        return
    content.holders += 1
    client.doing = Reading(content.body, 0, length, is_chunked)


def refuse(desk: Desk, client: Client, status: int, word: str) -> None:
    """Answer that nothing comes of the request, and why."""
    text = _TEXT.get(status, "Error")
    target = "" if client.request is None else f"{client.request.target[:200]}: "
    body = f"ei caching: {target}{sentence_of(word)}\n".encode("latin-1", "replace")
    fields = (("content-type", "text/plain"), ("cache-control", "no-store"))
    is_head = client.request is not None and client.request.method == "HEAD"
    say(desk, client, Response(status, text, 1, fields), length=len(body), detail=f"detail={word}")
    client.out += b"" if is_head else body
    client.doing = Idle()


def sentence_of(word: str) -> str:
    """Return what a reason means, for people."""
    known = REASONS.get(word)
    return SENTENCES.get(word, f"It did not work: {word}.") if known is None else known[1]


def say(  # noqa: PLR0913 what tells one head from another
    desk: Desk,
    client: Client,
    head: Response,
    *,
    length: int | None,
    detail: str,
    is_chunked: bool = False,
) -> None:
    """Write a head: what the origin said, and what this hop adds."""
    fields: Fields = without(head.fields, _OURS if client.is_tier else _OURS_OR_FOR_US)
    if value_of(fields, "date") is None:
        fields += (("date", write_date(desk.ctx.unix_s)),)
    is_head = client.request is not None and client.request.method == "HEAD"
    said = value_of(head.fields, "content-length")
    if is_chunked and not is_head:
        fields += (("transfer-encoding", "chunked"),)
    elif is_head and said is not None:
        fields += (("content-length", said),)
    elif length is not None and head.status not in _NO_LENGTH:
        fields += (("content-length", str(length)),)
    fields += (("via", _joined(head.fields, "via", f"1.1 {NAME}")),)
    fields += (("cache-status", _joined(head.fields, "cache-status", f"{NAME}; {detail}")),)
    if not client.is_kept_alive:
        fields += (("connection", "close"),)
    elif client.request is not None and not client.request.minor:
        fields += (("connection", "keep-alive"),)
    client.out += write_response(Response(head.status, head.reason, 1, fields))


def hit(stored: Stored, now_s: float, *more: str) -> str:
    """Return what Cache-Status says of a hit (RFC 9211)."""
    left_s = int(stored.terms.lifetime_s - age_of(stored, now_s))
    return "; ".join(("hit", f"ttl={left_s}", *more))


def _joined(fields: Fields, name: str, own: str) -> str:
    before = value_of(fields, name)
    return own if before is None else f"{before}, {own}"


# -- bytes ----------------------------------------------------------------------------------------


def pump(desk: Desk, client: Client) -> bool:
    """Write as much as may be; return whether an answer was ended and the next request may come."""
    while client.window > 0 and (client.out or _top_up(desk, client)):
        size = min(client.window, PIECE_BYTES)
        piece, client.out = client.out[:size], client.out[size:]
        client.window -= len(piece)
        desk.written_bytes += len(piece)
        desk.order(WriteStream(client.stream, piece))
    if client.window <= 0 and not client.is_stalled:
        client.is_stalled = True
        after_s = desk.config.idle_s
        desk.order(SetTimer(STALLED + key_of_number(client.stream), after_s=after_s))
    if client.out:
        return False
    if isinstance(client.doing, Reading) and not _finish(desk, client, client.doing):
        return False
    if client.out:
        return pump(desk, client)
    return isinstance(client.doing, Idle) and client.request is not None


def read_more(desk: Desk, client: Client, *, idle_s: float) -> None:
    """Ask for the client's next bytes."""
    if not client.is_reading and not client.has_ended:
        client.is_reading = True
        desk.order(ReadStream(client.stream, idle_s=idle_s))


def end(desk: Desk, client: Client) -> None:
    """Close a stream to which all was written."""
    desk.order(WriteStream(client.stream, is_end=True), CloseStream(client.stream))
    desk.clients.remove(client.stream)


def break_off(desk: Desk, client: Client) -> None:
    """Close a stream in the midst of an answer: its reader must not take it for the whole."""
    let_go(desk, client)
    desk.order(CloseStream(client.stream))
    desk.clients.remove(client.stream)


def let_go(desk: Desk, client: Client) -> None:
    """Let go of the body that a client reads."""
    doing = client.doing
    if isinstance(doing, Reading):
        desk.blocked.delete(_place(doing, client))
        content = desk.contents.get(doing.body)
        if content is not None:
            contents.release(desk, content)
        client.doing = Idle()


def wake(desk: Desk, body: bytes) -> list[Client]:
    """Serve who waits for more of a body, some at a time; return those whose answer has ended."""
    content = desk.contents.get(body)
    if content is None:
        return []
    ended: list[Client] = []
    is_over = content.state != "coming"
    for woken, (key, stream) in enumerate(desk.blocked.scan(body)):
        if not is_over and int.from_bytes(key[8:16], "big") >= content.size:
            break
        if woken == WAKEN_AT_ONCE or desk.written_bytes > WRITTEN_AT_ONCE:
            desk.order(SetTimer(WAKE + body, after_s=0.0))
            break
        desk.blocked.delete(key)
        client = desk.clients.get(stream)
        if client is not None and pump(desk, client):
            ended.append(client)
    return ended


def _top_up(desk: Desk, client: Client) -> bool:
    """Take the next bytes of the body; return whether there were any."""
    doing = client.doing
    if not isinstance(doing, Reading):
        return False
    content = desk.contents.get(doing.body)
    if content is None or content.state == "broken":
        return False
    until = content.size if doing.end is None else min(doing.end, content.size)
    most = max(1, min(client.window, PIECE_BYTES) - (CHUNK_BYTES if doing.is_chunked else 0))
    data = desk.bodies(content).read(doing.body, doing.position, min(most, until - doing.position))
    if not data or until <= doing.position:
        return False
    client.out = chunk(data) if doing.is_chunked else data
    position = doing.position + len(data)
    client.doing = Reading(doing.body, position, doing.end, doing.is_chunked)
    return True


def _finish(desk: Desk, client: Client, doing: Reading) -> bool:
    """See whether a body has been read to its end; return whether it has."""
    content = desk.contents.get(doing.body)
    if content is None or content.state == "broken":
        break_off(desk, client)
        return False
    end = content.size if doing.end is None and content.state == "whole" else doing.end
    if end is None or doing.position < end:
        if client.window > 0:
            _wait_for_more(desk, client, doing, content)
        return False
    let_go(desk, client)
    if doing.is_chunked:
        client.out += LAST_CHUNK
    return True


def _wait_for_more(desk: Desk, client: Client, doing: Reading, content: Content) -> None:
    """Be woken when more comes; of a body that is only passed on, ask for it."""
    if content.is_passing:
        left = None if doing.end is None else doing.end - doing.position
        doing = client.doing = Reading(doing.body, 0, left, doing.is_chunked)
        contents.rewind(desk, content)
        desk.hungry.append(content.flight)
    desk.blocked.put(_place(doing, client), client.stream)


def waits_for(client: Client) -> bytes:
    """Return the flight that a client waits for; empty for none."""
    return client.doing.flight if isinstance(client.doing, Waiting) else b""


def _place(doing: Reading, client: Client) -> bytes:
    return doing.body + doing.position.to_bytes(8, "big") + key_of_number(client.stream)
