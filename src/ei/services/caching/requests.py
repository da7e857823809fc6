"""What clients ask: one request after the other on each stream, answered from here or fetched."""

from typing import NamedTuple

import msgspec

from ei.sdk import Address, CancelTimer, SetTimer
from ei.services.caching import conditions, contents, fetching, rules, serving, targets, waiters
from ei.services.caching.framing import NO_BODY, Body, body_of_request
from ei.services.caching.http1 import (
    Fields,
    HttpError,
    Request,
    end_of_head,
    end_to_end,
    is_kept_alive,
    members_of,
    read_request,
    values_of,
    without,
    without_empty_lines,
)
from ei.services.caching.shelf import Kept
from ei.services.caching.state import (
    NOBODY,
    Client,
    Desk,
    Flight,
    Idle,
    Waiting,
    key_of_number,
)
from ei.services.caching.targets import Target

HEAD = b"head"
MOST_TRIES = 2
"""After that a request is fetched for its client alone."""

_SHAREABLE = ("GET", "HEAD")


class Wish(msgspec.Struct, frozen=True):
    """One request, understood.

    Attributes:
        request: Its head.
        target: What it is for.
        key: Of the target, for the client's tenant.
        body: How its body is framed.
    """

    request: Request
    target: Target
    key: bytes
    body: Body

    @property
    def is_plain(self) -> bool:
        """Whether a cache may answer it, as far as its form is concerned."""
        request = self.request
        is_read = request.method in _SHAREABLE and self.body.is_done
        return is_read and not conditions.is_for_origin(request)


class Found(NamedTuple):
    """What is kept for a request.

    Attributes:
        kept: The variant.
        is_on_disk: Where it is.
        use: How it may be used.
    """

    kept: Kept
    is_on_disk: bool
    use: rules.Use


def step(desk: Desk, client: Client, *, is_again: bool) -> None:
    """Go on with a client: with its next request, or with the same once more."""
    if is_again and client.request is not None:
        _begin(desk, client, client.request, NO_BODY)
    elif not client.is_kept_alive:
        serving.end(desk, client)
    else:
        client.request, client.tries = None, 0
        take(desk, client)


def take(desk: Desk, client: Client) -> None:
    """Look for the next request in what came."""
    try:
        client.buffer = without_empty_lines(client.buffer)
        end = end_of_head(client.buffer)
        if end is None:
            _wait_for_head(desk, client)
            return
        head, client.buffer = client.buffer[:end], client.buffer[end:]
        if client.is_timed:
            client.is_timed = False
            desk.order(CancelTimer(HEAD + key_of_number(client.stream)))
        request = read_request(head)
        client.is_kept_alive = is_kept_alive(request.minor, request.fields)
        body = body_of_request(request)
        # From here on the request is what its origin gets to see of it: by that it is kept.
        fields = end_to_end(request.fields)
        client.request = msgspec.structs.replace(request, fields=fields)
        _begin(desk, client, client.request, body)
    except HttpError as error:
        turn_away(desk, client, error.status, error.word)


def turn_away(desk: Desk, client: Client, status: int, word: str) -> None:
    """Refuse what is no request: nobody knows where the next one would begin."""
    desk.count("refused_request")
    client.is_kept_alive = False
    client.buffer = b""
    serving.refuse(desk, client, status, word)
    if client.request is None:
        client.request = Request("", "", 1, ())
    waiters.go_on(desk, client)


def take_upload(desk: Desk, client: Client, flight: Flight) -> None:
    """Hand on what came of a request's body."""
    try:
        fetching.upload(flight, client)
    except HttpError as error:
        give_up(desk, client, flight)
        turn_away(desk, client, error.status, error.word)
        return
    if client.has_ended and not flight.upload.is_done:
        give_up(desk, client, flight)
        turn_away(desk, client, 400, "bad_length")
        return
    link = desk.links.get(flight.stream)
    if link is not None and flight.stage != "waiting":
        fetching.push(desk, flight, link)
    read_upload(desk, flight)


def read_upload(desk: Desk, flight: Flight) -> None:
    """Ask for more of a request's body once what came is on its way."""
    client = desk.clients.get(flight.leader) if flight.leader != NOBODY else None
    if client is not None and not flight.upload.is_done and not flight.out:
        serving.read_more(desk, client, idle_s=desk.config.idle_s)


def give_up(desk: Desk, client: Client, flight: Flight) -> None:
    """A client does not wait for a flight any more; without anybody who does, it may end."""
    client.doing = Idle()
    desk.waiting.delete(flight.name + key_of_number(client.stream))
    flight.waiters -= 1
    if flight.leader == client.stream:
        flight.leader = NOBODY
    is_idle = flight.stage == "waiting" and not flight.stream
    if fetching.has_left(flight) and (is_idle or not flight.lane):
        fetching.hang_up(desk, flight, is_reusable=False)
        waiters.finish(desk, flight)


def _wait_for_head(desk: Desk, client: Client) -> None:
    if client.has_ended:
        serving.end(desk, client)
        return
    if client.buffer and not client.is_timed:
        client.is_timed = True
        key = HEAD + key_of_number(client.stream)
        desk.order(SetTimer(key, after_s=desk.config.request_s))
    serving.read_more(desk, client, idle_s=desk.config.idle_s)


# -- answering ------------------------------------------------------------------------------------


def _begin(desk: Desk, client: Client, request: Request, body: Body) -> None:
    """Answer a request by what is kept, or have it fetched.

    Raises:
        HttpError: It is not one that can be answered.
    """
    target = targets.target_of(request, client.site)
    wish = Wish(request, target, targets.key_of(client.tenant, target), body)
    if not client.tries:
        desk.count("requests")
    if not wish.is_plain:
        _fetch(desk, client, wish, None)
        return
    found = _look_up(desk, wish)
    if found is not None and _answer(desk, client, wish, found):
        return
    if rules.is_only_if_cached(request):
        serving.refuse(desk, client, 504, "only_if_cached")
        waiters.go_on(desk, client)
        return
    desk.count("misses")
    _fetch(desk, client, wish, None if found is None else found.kept)


def _look_up(desk: Desk, wish: Wish) -> Found | None:
    """Return what is kept for a request."""
    for is_on_disk in (False, True):
        kept = desk.shelf(is_on_disk=is_on_disk).find(wish.key, wish.request)
        if kept is None:
            continue
        verdict = desk.purges.verdict(kept.labels, kept.stored.fetched_s)
        if verdict == "gone":
            contents.drop(desk, kept, is_on_disk=is_on_disk)
            continue
        use = rules.use_of(
            kept.stored,
            wish.request,
            now_s=desk.ctx.unix_s,
            is_purged_softly=verdict == "soft",
        )
        # What is in memory went with it; the disk has what an earlier start kept, too.
        is_of_before = is_on_disk and kept.boot != desk.boot
        return Found(kept, is_on_disk, "validate" if is_of_before else use)
    return None


def _answer(desk: Desk, client: Client, wish: Wish, found: Found) -> bool:
    """Answer by what is kept, if it may be used without asking; return whether it was."""
    kept, is_on_disk, use = found
    if use == "validate":
        return False
    shelf = desk.shelf(is_on_disk=is_on_disk)
    shelf.use(kept)
    detail = serving.hit(kept.stored, desk.ctx.unix_s)
    if use == "stale_ok":
        desk.count("stale_hits")
        _revalidate(desk, client, wish, kept)
    else:
        desk.count("hits")
    serving.answer_kept(desk, client, kept, is_on_disk=is_on_disk, detail=detail)
    waiters.go_on(desk, client)
    return True


# -- fetching -------------------------------------------------------------------------------------


def _fetch(desk: Desk, client: Client, wish: Wish, kept: Kept | None) -> None:
    """Have a request answered by its origin, together with others who ask the same."""
    lane = _lane_of(desk, client, wish, kept)
    there = desk.lanes.get(lane) if lane else None
    flight = desk.flights.get(there) if there is not None else None
    if flight is not None and not _insists(wish.request):
        _join(desk, client, flight)
        return
    flight = _flight_of(desk, client, wish, kept, lane)
    flight.leader, flight.waiters = client.stream, 1
    desk.waiting.put(flight.name + key_of_number(client.stream), client.stream)
    client.doing = Waiting(flight.name)
    fetching.depart(desk, flight)
    if not flight.upload.is_done:
        take_upload(desk, client, flight)


def _join(desk: Desk, client: Client, flight: Flight) -> None:
    content = desk.contents.get(flight.body) if flight.outcome == "read" else None
    if content is not None and flight.stored is not None:
        desk.count("collapsed")
        waiters.join(desk, flight, client, content, flight.stored)
    elif flight.waiters >= desk.config.waiters:
        desk.count("too_many_waiters")
        serving.refuse(desk, client, 503, "too_many_waiters")
        waiters.go_on(desk, client)
    else:
        desk.count("collapsed")
        flight.waiters += 1
        desk.waiting.put(flight.name + key_of_number(client.stream), client.stream)
        client.doing = Waiting(flight.name)


def _revalidate(desk: Desk, client: Client, wish: Wish, kept: Kept) -> None:
    """Ask for news of what is used stale, for no client, unless it is asked already."""
    if wish.request.method != "GET":
        return
    lane = _lane(wish, kept, kept.stored.selecting)
    if desk.lanes.get(lane) is None:
        fetching.depart(desk, _flight_of(desk, client, wish, kept, lane))


def _lane_of(desk: Desk, client: Client, wish: Wish, kept: Kept | None) -> bytes:
    """Return under what others may wait for the answer; empty: nobody but the client."""
    fields = wish.request.fields
    unknown = targets.unknown_fields(_handed_on(wish), desk.config.harmless_fields)
    if (
        not wish.is_plain
        or wish.request.method != "GET"
        or client.tries >= MOST_TRIES
        or unknown
        or values_of(fields, "authorization")
    ):
        return b""
    vary = kept.stored.vary if kept is not None else desk.varies.get(wish.key) or ()
    lane = _lane(wish, kept, rules.selecting_of(fields, vary))
    return b"" if desk.uncacheable.get(lane) is not None else lane


def _lane(wish: Wish, kept: Kept | None, selecting: tuple[str, ...]) -> bytes:
    parts = () if _is_whole(kept) else conditions.parts_of(wish.request.fields)
    return targets.lane_of(wish.key, (*selecting, *parts))


def _is_whole(kept: Kept | None) -> bool:
    return kept is not None and not values_of(kept.stored.response.fields, "content-range")


def _flight_of(desk: Desk, client: Client, wish: Wish, kept: Kept | None, lane: bytes) -> Flight:
    """Make a flight; it has not departed yet."""
    request, node = wish.request, _owner(desk, client, wish)
    may_keep = wish.is_plain and request.method == "GET"
    validating = kept is not None and may_keep
    fields = _handed_on(wish)
    if validating or (lane and client.tries):
        # Whoever waits with this client wants an answer, not that the client has it.
        fields = conditions.without_conditions(fields)
    if kept is not None and validating:
        fields = conditions.without_parts(fields) if _is_whole(kept) else fields
        fields += rules.validating(kept.stored)
    target = wish.target.url if node else wish.target.path
    sent = Request(request.method, target, 1, (*fields, *_of_this_hop(wish)))
    name = desk.next_number("flights").to_bytes(8, "big")
    flight = Flight(
        name,
        wish.key,
        lane,
        client.tenant,
        wish.target,
        asked=request,
        sent=sent,
        node=node,
        leader=NOBODY,
        may_keep=may_keep,
        validating=kept.name if kept is not None and validating else b"",
        upload=wish.body,
    )
    if lane:
        desk.lanes.put(lane, name)
    return desk.flights.add(name, flight)


def _handed_on(wish: Wish) -> Fields:
    gone = ["expect"] if wish.body.is_done else []
    return without(targets.handed_on(wish.request.fields), gone)


def _of_this_hop(wish: Wish) -> Fields:
    """Return the fields that this cache adds to a request."""
    via = ", ".join((*values_of(wish.request.fields, "via"), f"1.1 {rules.NAME}"))
    able = ("surrogate-capability", f'{rules.NAME}="Surrogate/1.0"')
    fields: Fields = (("host", wish.target.authority), ("via", via), able)
    if wish.body.kind == "chunked":
        return (*fields, ("transfer-encoding", "chunked"))
    if wish.body.kind == "length":
        return (*fields, ("content-length", str(wish.body.left)))
    return fields


def _owner(desk: Desk, client: Client, wish: Wish) -> bytes:
    """Return the node of the tier that is to be asked; empty for the origin itself."""
    nodes = desk.config.tier
    if client.is_tier or desk.ctx.node not in nodes or not wish.is_plain:
        return b""
    there = [node for node in nodes if node == desk.ctx.node or node in desk.ctx.peers]
    owner = targets.owner_of(wish.key, there)
    return b"" if owner == desk.ctx.node else Address(owner)


def _insists(request: Request) -> bool:
    """Whether the client wants an answer that is made after its request."""
    asked = members_of(request.fields, "cache-control") + members_of(request.fields, "pragma")
    return "no-cache" in asked or "max-age=0" in asked or "no-store" in asked
