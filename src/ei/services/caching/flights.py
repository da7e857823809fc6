"""What an origin answers, and what becomes of those who wait for it.

head ──▶ 304 ──────────▶ what is kept is still so: all are answered by it
     ├─▶ may be kept ──▶ gathered; all read it as it comes, or, when nobody knows how long it
     │                   is, the leader does and the others wait for its end
     ├─▶ an error ─────▶ what is kept stale answers, where it may
     └─▶ else ─────────▶ the leader alone reads it; the others ask again, each for itself
"""

import msgspec

from ei.services.caching import contents, fetching, rules, serving, waiters
from ei.services.caching.conditions import span_of
from ei.services.caching.framing import body_of_response, feed
from ei.services.caching.http1 import (
    HttpError,
    Response,
    end_of_head,
    end_to_end,
    is_kept_alive,
    members_of,
    read_response,
    value_of,
    without,
    write_response,
)
from ei.services.caching.messages import Mark
from ei.services.caching.shelf import Kept
from ei.services.caching.state import NOBODY, Client, Content, Desk, Flight
from ei.services.caching.targets import key_of, label_of, target_of_url, unknown_fields

VARY_S = 3_600.0
"""For how long it is remembered by what a target varies."""
MOST_TAGS = 64
MOST_INTERIM = 8

_FAILURES = {
    "deadline": 504,
    "too_many_streams": 503,
    "too_many_connections": 503,
}
_LOST = frozenset({"ended", "reset", "closed", "lost", "deadline"})
"""How a connection ends that was idle for too long."""
_INTERIM = 200
_SWITCHING = 101
_PARTIAL = 206
_NOT_MODIFIED = 304


# -- bytes of an origin ---------------------------------------------------------------------------


def take(desk: Desk, flight: Flight, data: bytes, *, is_end: bool) -> None:
    """Take what came from an origin."""
    flight.is_reading = False
    flight.buffer += data
    try:
        while flight.stage == "head":
            end = end_of_head(flight.buffer)
            if end is None:
                break
            head, flight.buffer = flight.buffer[:end], flight.buffer[end:]
            _take_head(desk, flight, read_response(head))
        if flight.stage == "body":
            _take_body(desk, flight, is_end=is_end)
    except HttpError as error:
        fail(desk, flight, error.word)
        return
    if flight.stage == "head":
        if is_end:
            fail(desk, flight, "ended")
        else:
            fetching.read_answer(desk, flight)


def fail(desk: Desk, flight: Flight, reason: str) -> None:
    """Do what can be done when an origin does not answer, or not to the end."""
    stage = flight.stage
    fetching.hang_up(desk, flight, is_reusable=False)
    if stage == "done":
        return
    if stage == "body":
        _break(desk, flight)
        return
    if flight.node and flight.upload.is_done:
        # Without that node of the tier, this one asks the origin itself.
        flight.node = b""
        flight.sent = msgspec.structs.replace(flight.sent, target=flight.target.path)
        flight.tries = 0
        fetching.depart(desk, flight)
        return
    if flight.is_reused and flight.tries == 1 and reason in _LOST and not flight.buffer:
        fetching.depart(desk, flight)
        return
    desk.count("not_allowed" if reason == "not_allowed" else "fetch_failed")
    found = desk.find(flight.validating) if flight.validating else None
    if found is not None and _may_be_stale(desk, flight, found[0]):
        _answer_by(desk, flight, found[0], f"hit; stale; detail={reason}")
        return
    flight.status = 504 if found is not None else _FAILURES.get(reason, 502)
    flight.outcome, flight.word = "failed", reason
    waiters.finish(desk, flight)


def give_up_waiting(desk: Desk, flight: Flight) -> None:
    """There was no connection for it in all the time."""
    if flight.stage == "waiting" and not flight.stream:
        fail(desk, flight, "too_many_connections")


# -- heads ----------------------------------------------------------------------------------------


def _take_head(desk: Desk, flight: Flight, response: Response) -> None:
    if response.status == _SWITCHING:
        raise HttpError("bad_status_line")
    if response.status < _INTERIM:
        _hand_on_interim(desk, flight, response)
        return
    flight.framing = body_of_response(response, flight.sent.method)
    flight.stage = "body"
    flight.is_kept_alive = is_kept_alive(response.minor, response.fields)
    flight.detail = _forwarded(flight, response)
    response = msgspec.structs.replace(response, fields=end_to_end(response.fields))
    if rules.does_invalidate(flight.sent.method, response):
        invalidate(desk, flight, response)
    found = desk.find(flight.validating) if flight.validating else None
    if found is not None and response.status == _NOT_MODIFIED:
        _confirm(desk, flight, response, found[0], is_on_disk=found[1])
    elif found is not None and rules.is_error(response) and _may_be_stale(desk, flight, found[0]):
        fetching.hang_up(desk, flight, is_reusable=False)
        _answer_by(desk, flight, found[0], f"hit; stale; detail={response.status}")
    elif not _gather(desk, flight, response):
        _pass_on(desk, flight, response)


def _hand_on_interim(desk: Desk, flight: Flight, response: Response) -> None:
    flight.interim += 1
    if flight.interim > MOST_INTERIM:
        raise HttpError("too_many_interim")
    client = desk.clients.get(flight.leader) if flight.leader != NOBODY else None
    if client is not None and client.request is not None and client.request.minor:
        fields = end_to_end(response.fields)
        client.out += write_response(msgspec.structs.replace(response, fields=fields))
        _ = serving.pump(desk, client)


def _confirm(
    desk: Desk, flight: Flight, response: Response, kept: Kept, *, is_on_disk: bool
) -> None:
    """What is kept is still so: its head is new, its body stays."""
    if not rules.is_confirmed_by(kept.stored, response):
        contents.drop(desk, kept, is_on_disk=is_on_disk)
        flight.outcome = "again"
    else:
        stored = rules.updated(
            kept.stored, response, requested_s=flight.requested_s, now_s=desk.ctx.unix_s
        )
        shelf = desk.shelf(is_on_disk=is_on_disk)
        kept = msgspec.structs.replace(kept, boot=desk.boot)
        kept = shelf.update(kept, stored)
        desk.count("validated")
        flight.outcome, flight.answer = "kept", kept.name
        if not rules.may_store(flight.asked, stored.response):
            # It is not for others any more: who asked gets it, then it goes.
            leader = waiters.take_leader(desk, flight)
            if leader is not None:
                waiters.answer_kept(desk, flight, leader, kept, is_on_disk=is_on_disk)
            contents.drop(desk, kept, is_on_disk=is_on_disk)
            flight.outcome = "again"
    fetching.hang_up(desk, flight, is_reusable=_is_reusable(flight))
    waiters.finish(desk, flight)


def _answer_by(desk: Desk, flight: Flight, kept: Kept, detail: str) -> None:
    desk.count("stale_hits")
    flight.outcome, flight.answer, flight.detail = "kept", kept.name, detail
    flight.is_stale = True
    waiters.finish(desk, flight)


def _may_be_stale(desk: Desk, flight: Flight, kept: Kept) -> bool:
    return rules.may_use_on_error(
        kept.stored,
        flight.asked,
        now_s=desk.ctx.unix_s,
        default_s=desk.config.stale_if_error_s,
    )


def _gather(desk: Desk, flight: Flight, response: Response) -> bool:
    """Begin to keep an answer; return whether it may be kept and there is room."""
    unknown = unknown_fields(flight.sent.fields, desk.config.harmless_fields)
    is_said = set(unknown) <= set(members_of(response.fields, "vary"))
    if not (flight.may_keep and is_said and rules.may_store(flight.asked, response)):
        return False
    stored = _stored(desk, flight, response)
    if desk.purges.verdict(labels_of(flight, response), stored.fetched_s) == "gone":
        return False
    length = flight.framing.length
    if response.status == _PARTIAL and span_of(response, length or 0) is None:
        return False
    is_on_disk = length is not None and length > desk.config.memory_object_bytes
    if not contents.may_begin(desk, length or 0, is_on_disk=is_on_disk):
        return False
    content = contents.begin(desk, flight.name, is_on_disk=is_on_disk, reserve=length or 0)
    flight.body, flight.stored, flight.is_kept = content.body, stored, True
    flight.is_shared = length is not None and rules.is_fresh(stored, desk.ctx.unix_s)
    desk.varies.put(flight.key, stored.vary, ttl_s=VARY_S)
    flight.detail += "; stored"
    leader = waiters.take_leader(desk, flight)
    if leader is not None:
        _let_read(desk, flight, leader, content, response)
    if flight.is_shared:
        flight.outcome = "read"
        waiters.free(desk, flight)
    elif not rules.is_fresh(stored, desk.ctx.unix_s):
        _let_each_ask(desk, flight)
    return True


def _pass_on(desk: Desk, flight: Flight, response: Response) -> None:
    """Let the leader alone have the answer."""
    desk.count("passed")
    content = contents.begin(desk, flight.name, is_on_disk=False, reserve=0)
    content.is_passing = True
    flight.body = content.body
    is_unchanged = response.status == _NOT_MODIFIED
    is_for_nobody = is_unchanged and flight.leader == NOBODY
    leader = None if is_for_nobody else waiters.take_leader(desk, flight)
    if is_unchanged:
        # Who asked with the condition has it; the others ask anew, and then for an answer.
        flight.outcome = "again"
        waiters.free(desk, flight)
    elif flight.lane:
        _let_each_ask(desk, flight)
    if leader is None:
        fetching.hang_up(desk, flight, is_reusable=False)
        waiters.finish(desk, flight)
        return
    _let_read(desk, flight, leader, content, response)


def _let_each_ask(desk: Desk, flight: Flight) -> None:
    """The answer is for its leader alone; for a while nobody waits for another one's."""
    if flight.lane:
        desk.uncacheable.put(flight.lane, 1, ttl_s=desk.config.uncacheable_s)
    flight.outcome = "again"
    waiters.free(desk, flight)


def _let_read(
    desk: Desk, flight: Flight, client: Client, content: Content, response: Response
) -> None:
    if not flight.upload.is_done:
        client.is_kept_alive = False
    head = msgspec.structs.replace(response, fields=without(response.fields, [serving.AGE_FIELD]))
    if client.is_tier and flight.stored is not None:
        age_ms = int(1_000 * rules.age_of(flight.stored, desk.ctx.unix_s))
        head = msgspec.structs.replace(
            head, fields=(*head.fields, (serving.AGE_FIELD, str(age_ms)))
        )
    length = flight.framing.length
    serving.answer_coming(desk, client, content, head, length=length, detail=flight.detail)
    waiters.go_on(desk, client)


def _stored(desk: Desk, flight: Flight, response: Response) -> rules.Stored:
    """Return what is kept of a head; a node of the tier says exactly how old it is."""
    said = value_of(response.fields, serving.AGE_FIELD)
    response = msgspec.structs.replace(
        response, fields=without(response.fields, [serving.AGE_FIELD])
    )
    now_s = desk.ctx.unix_s
    stored = rules.store(flight.asked, response, requested_s=flight.requested_s, now_s=now_s)
    if flight.node and said is not None and said.isdigit():
        age_s = int(said) / 1_000 + now_s - flight.requested_s
        stored = msgspec.structs.replace(stored, age_s=age_s)
    return stored


def labels_of(flight: Flight, response: Response) -> tuple[bytes, ...]:
    """Return under what an answer is purged: its target, and the tags that its origin gave it."""
    tags = (value_of(response.fields, "surrogate-key") or "").split()
    tags += [tag.strip() for tag in (value_of(response.fields, "cache-tag") or "").split(",")]
    named = [label_of(flight.tenant, b"t" + tag.encode("latin-1")) for tag in tags if tag]
    return (label_of(flight.tenant, b"k" + flight.key), *named[:MOST_TAGS])


def invalidate(desk: Desk, flight: Flight, response: Response) -> None:
    """A change was asked for: what is kept of the target, and of what the answer names, is over."""
    keys = [flight.key]
    for name in ("location", "content-location"):
        said = value_of(response.fields, name)
        if said is None:
            continue
        url = flight.target._replace(path=said).url if said.startswith("/") else said
        try:
            target = target_of_url(url)
        except HttpError:
            continue
        if target[:2] == flight.target[:2]:
            keys.append(key_of(flight.tenant, target))
    marks = [Mark(label_of(flight.tenant, b"k" + key), is_soft=False) for key in keys]
    for mark in marks:
        desk.purges.apply(mark, desk.ctx.unix_s)
    desk.purges.log(marks)
    desk.has_purged = True
    desk.count("invalidated")


def _forwarded(flight: Flight, response: Response) -> str:
    """Return what Cache-Status says of a request that was handed on."""
    why = "stale" if flight.validating else "uri-miss" if flight.may_keep else "bypass"
    if flight.asked.method not in ("GET", "HEAD"):
        why = "method"
    return f"fwd={why}; fwd-status={response.status}"


# -- bodies ---------------------------------------------------------------------------------------


def _take_body(desk: Desk, flight: Flight, *, is_end: bool) -> None:
    content = desk.contents.get(flight.body)
    if content is None:
        return
    flight.framing, data, flight.buffer = feed(flight.framing, flight.buffer)
    is_bounded = not flight.is_kept or flight.framing.length is not None
    if not is_bounded and not contents.grow(desk, content, len(data)):
        _give_up_keeping(desk, flight, content)
    contents.append(desk, content, data)
    if flight.framing.is_done or (flight.framing.kind == "close" and is_end):
        _complete(desk, flight, content, is_reusable=not is_end)
    elif is_end:
        raise HttpError("bad_length")
    else:
        _want_more(desk, flight, content)


def _want_more(desk: Desk, flight: Flight, content: Content) -> None:
    """Let what came go out; ask for more at once if it is kept, else when its reader has it."""
    waiters.go_on_reading(desk, flight.body)
    if flight.is_kept:
        fetching.read_answer(desk, flight)
    elif content.holders == 1:
        fetching.hang_up(desk, flight, is_reusable=False)
        waiters.finish(desk, flight)


def _give_up_keeping(desk: Desk, flight: Flight, content: Content) -> None:
    """It is longer than what may be kept of a body whose length nobody said."""
    flight.is_kept = False
    content.is_passing = True
    _let_each_ask(desk, flight)


def _complete(desk: Desk, flight: Flight, content: Content, *, is_reusable: bool) -> None:
    content.state = "whole"
    stored = flight.stored
    if flight.is_kept and stored is not None:
        labels = labels_of(flight, stored.response)
        kept = Kept(flight.key, content.body, content.size, stored, labels, desk.boot)
        if desk.purges.verdict(labels, stored.fetched_s) != "gone":
            contents.keep(desk, kept, content)
            flight.answer = kept.name
        if not flight.is_shared:
            flight.outcome = "kept" if flight.answer else "again"
    fetching.hang_up(desk, flight, is_reusable=is_reusable and _is_reusable(flight))
    waiters.go_on_reading(desk, flight.body)
    waiters.finish(desk, flight)


def _break(desk: Desk, flight: Flight) -> None:
    """The body ended before its time: nobody may take what came for the whole."""
    desk.count("fetch_failed")
    content = desk.contents.get(flight.body)
    if content is not None:
        content.state = "broken"
        waiters.go_on_reading(desk, flight.body)
    flight.outcome, flight.status, flight.word = "failed", 502, "broken_off"
    waiters.finish(desk, flight)


def _is_reusable(flight: Flight) -> bool:
    """Whether another request may follow on the connection."""
    is_over = flight.framing.is_done and flight.upload.is_done and not flight.buffer
    # Some ways to authorize are of the connection: nobody else may use it then.
    is_own = value_of(flight.sent.fields, "authorization") is not None
    return is_over and flight.is_kept_alive and not is_own
