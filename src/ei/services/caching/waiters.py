"""Those who wait for the answer to a request that one of them, the leader, has caused."""

from itertools import islice

import msgspec

from ei.sdk import SetTimer
from ei.services.caching import contents, rules, serving
from ei.services.caching.conditions import is_unchanged, is_within, not_modified
from ei.services.caching.framing import Body
from ei.services.caching.shelf import Kept
from ei.services.caching.state import NOBODY, Client, Content, Desk, Flight, Idle, key_of_number

FREE = b"free"
FREED_AT_ONCE = 64
"""Of those who wait for one flight, served in one event; the rest follows."""


def take_leader(desk: Desk, flight: Flight) -> Client | None:
    """Return who reads the answer first: the leader, or in its place another one who waits."""
    streams = [flight.leader] if flight.leader != NOBODY else []
    if not streams:
        streams = [stream for _, stream in islice(desk.waiting.scan(flight.name), 1)]
    flight.leader = NOBODY
    for stream in streams:
        desk.waiting.delete(flight.name + key_of_number(stream))
        flight.waiters -= 1
        client = desk.clients.get(stream)
        if client is not None:
            flight.leader = stream
            return client
    return None


def go_on(desk: Desk, client: Client) -> None:
    """Write what may be written; go on with the next request when the answer has ended."""
    if serving.pump(desk, client):
        desk.ready.append((client.stream, "next"))


def go_on_reading(desk: Desk, body: bytes) -> None:
    """Let those go on who wait for more of a body."""
    for client in serving.wake(desk, body):
        desk.ready.append((client.stream, "next"))


def free(desk: Desk, flight: Flight) -> None:
    """Answer those who wait, as the outcome says, some at a time."""
    freed = list(islice(desk.waiting.scan(flight.name), FREED_AT_ONCE))
    for key, stream in freed:
        if desk.written_bytes > serving.WRITTEN_AT_ONCE:
            break
        desk.waiting.delete(key)
        flight.waiters -= 1
        client = desk.clients.get(stream)
        if client is not None:
            _answer(desk, flight, client)
    if flight.waiters and flight.outcome:
        desk.order(SetTimer(FREE + flight.name, after_s=0.0))
    elif flight.stage == "done":
        _land(desk, flight)


def finish(desk: Desk, flight: Flight) -> None:
    """A flight brings nothing more; it stays until all who wait for it are answered."""
    flight.stage = "done"
    if flight.lane and desk.lanes.get(flight.lane) == flight.name:
        desk.lanes.delete(flight.lane)
    free(desk, flight)


def _land(desk: Desk, flight: Flight) -> None:
    content = desk.contents.get(flight.body) if flight.body else None
    if content is not None:
        contents.release(desk, content)
    desk.flights.remove(flight.name)


def answer_kept(
    desk: Desk, flight: Flight, client: Client, kept: Kept, *, is_on_disk: bool
) -> None:
    """Answer one who waits by what is kept."""
    client.doing = Idle()
    serving.answer_kept(desk, client, kept, is_on_disk=is_on_disk, detail=flight.detail)
    go_on(desk, client)


def _answer(desk: Desk, flight: Flight, client: Client) -> None:
    request = client.request
    found = desk.find(flight.answer) if flight.outcome == "kept" else None
    content = desk.contents.get(flight.body) if flight.outcome == "read" else None
    client.doing = Idle()
    if request is None:
        return
    if flight.outcome == "failed":
        serving.refuse(desk, client, flight.status, flight.word)
        go_on(desk, client)
    elif found is not None and _is_answered_by(desk, flight, client, found[0]):
        answer_kept(desk, flight, client, found[0], is_on_disk=found[1])
    elif content is not None and flight.stored is not None:
        join(desk, flight, client, content, flight.stored)
    else:
        _ask_again(desk, client)


def _is_answered_by(desk: Desk, flight: Flight, client: Client, kept: Kept) -> bool:
    request, head = client.request, kept.stored.response
    is_there = request is not None and is_within(request, head, kept.size)
    return is_there and _is_for(desk, flight, client, kept.stored)


def _is_for(desk: Desk, flight: Flight, client: Client, stored: rules.Stored) -> bool:
    """Whether an answer that another one's request has brought may be used for this client."""
    request = client.request
    if request is None or not rules.is_selected_by(stored, request):
        return False
    if client.stream == flight.leader or rules.is_fresh(stored, desk.ctx.unix_s):
        return True
    default_s = desk.config.stale_if_error_s
    now_s = desk.ctx.unix_s
    return flight.is_stale and rules.may_use_on_error(
        stored, request, now_s=now_s, default_s=default_s
    )


def _ask_again(desk: Desk, client: Client) -> None:
    client.tries += 1
    desk.ready.append((client.stream, "again"))


def join(
    desk: Desk, flight: Flight, client: Client, content: Content, stored: rules.Stored
) -> None:
    """Let a client read what comes for another one, if it is the variant that it selects."""
    if not _is_for(desk, flight, client, stored):
        _ask_again(desk, client)
        return
    fields = (*stored.response.fields, ("age", str(int(rules.age_of(stored, desk.ctx.unix_s)))))
    response = msgspec.structs.replace(stored.response, fields=fields)
    length = content.size if content.state == "whole" else _length_of(flight.framing, content)
    if client.request is not None and is_unchanged(client.request, response):
        response, length = not_modified(response), 0
    detail = "fwd=miss; collapsed"
    serving.answer_coming(desk, client, content, response, length=length, detail=detail)
    go_on(desk, client)


def _length_of(framing: Body, content: Content) -> int | None:
    """Return how long a body will be of which some came already."""
    left = framing.length
    return None if left is None else content.size + left
