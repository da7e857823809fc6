"""The side of an origin: connections that are used again, and requests that are sent on them."""

from hashlib import sha256
from itertools import islice

from ei.sdk import (
    Address,
    AtNode,
    CancelTimer,
    CloseStream,
    Legacy,
    OpenStream,
    ReadStream,
    SetTimer,
    WriteStream,
)
from ei.services.caching.bodies import PIECE_BYTES
from ei.services.caching.framing import LAST_CHUNK, chunk, feed
from ei.services.caching.http1 import write_request
from ei.services.caching.messages import Tier, write_opening
from ei.services.caching.rules import is_safe
from ei.services.caching.state import NOBODY, Client, Desk, Flight, Link, key_of_number

CONNECT_S = 10.0
QUEUED = b"line"
"""With the name of a flight: until then it has a connection."""


def depart(desk: Desk, flight: Flight) -> None:
    """Send a flight on its way: by an idle connection, by a new one, or when there is one."""
    origin = origin_of(flight)
    flight.stage = "waiting"
    flight.tries += 1
    if flight.tries > 1:
        flight.buffer = flight.out = b""
    # A connection that was idle may be closed before the request comes: then it must be sent again.
    may_reuse = is_safe(flight.sent.method) and flight.upload.is_done and flight.tries == 1
    idle = list(islice(desk.idle.scan(origin), 1)) if may_reuse else []
    for key, stream in idle:
        desk.idle.delete(key)
        link = desk.links.get(stream)
        if link is not None:
            link.flight = flight.name
            flight.stream, flight.is_reused, flight.is_reading = stream, True, True
            send(desk, flight, link)
            return
    if _is_full(desk, origin):
        _close_an_idle_one(desk, origin)
    if _is_full(desk, origin):
        desk.queue.put(origin + key_of_number(desk.next_number("queue")), flight.name)
        desk.order(SetTimer(QUEUED + flight.name, after_s=desk.config.origin_s))
        return
    _open(desk, flight, origin)


def _is_full(desk: Desk, origin: bytes) -> bool:
    return (desk.numbers.get(_busy(origin)) or 0) >= desk.config.connections_per_origin


def _close_an_idle_one(desk: Desk, origin: bytes) -> None:
    for _, stream in list(islice(desk.idle.scan(origin), 1)):
        link = desk.links.get(stream)
        if link is not None:
            desk.order(CloseStream(stream))
            _forget(desk, link)


def origin_of(flight: Flight) -> bytes:
    """Return where a flight goes to, and whose it is, as a hash: tenants share no connection."""
    target = flight.target
    where = flight.node or f"{target.host}\n{target.port}".encode()
    return sha256(len(where).to_bytes(2, "big") + where + flight.tenant).digest()[:8]


def send(desk: Desk, flight: Flight, link: Link) -> None:
    """Send the request on a connection that is there."""
    flight.stage = "head"
    flight.requested_s = desk.ctx.unix_s
    flight.out = write_request(flight.sent) + flight.out
    push(desk, flight, link)
    read_answer(desk, flight)


def push(desk: Desk, flight: Flight, link: Link) -> None:
    """Write as much of the request as the window lets out; then ask the client for its body."""
    while flight.out and link.window > 0:
        size = min(link.window, PIECE_BYTES)
        piece, flight.out = flight.out[:size], flight.out[size:]
        link.window -= len(piece)
        desk.order(WriteStream(link.stream, piece))


def upload(flight: Flight, client: Client) -> None:
    """Take what came of the client's body.

    Raises:
        HttpError: It is not framed as the head said.
    """
    kind = flight.upload.kind
    flight.upload, content, client.buffer = feed(flight.upload, client.buffer)
    flight.out += chunk(content) if kind == "chunked" else content
    if flight.upload.is_done and kind == "chunked":
        flight.out += LAST_CHUNK


def read_answer(desk: Desk, flight: Flight) -> None:
    """Ask for the next bytes of the answer."""
    if not flight.is_reading and flight.stream:
        flight.is_reading = True
        desk.order(ReadStream(flight.stream, idle_s=desk.config.origin_s))


def hang_up(desk: Desk, flight: Flight, *, is_reusable: bool) -> None:
    """Be done with the connection: keep it for others if it is fit for them, or close it."""
    link = desk.links.get(flight.stream) if flight.stream else None
    flight.stream = 0
    if link is None:
        return
    if is_reusable and not flight.is_reading and not flight.out:
        link.flight = b""
        desk.idle.put(link.origin + key_of_number(link.stream), link.stream)
        desk.order(ReadStream(link.stream, idle_s=desk.config.idle_s))
        next_in_queue(desk, link.origin)
    else:
        desk.order(CloseStream(link.stream))
        lose(desk, link)


def lose(desk: Desk, link: Link) -> None:
    """Forget a connection that is closed; another one may take its place."""
    _forget(desk, link)
    next_in_queue(desk, link.origin)


def _forget(desk: Desk, link: Link) -> None:
    desk.links.remove(link.stream)
    desk.idle.delete(link.origin + key_of_number(link.stream))
    busy = (desk.numbers.get(_busy(link.origin)) or 0) - 1
    if busy > 0:
        desk.numbers.put(_busy(link.origin), busy)
    else:
        desk.numbers.delete(_busy(link.origin))


def next_in_queue(desk: Desk, origin: bytes) -> None:
    """Let one flight depart that waits for a connection to this origin."""
    for key, name in desk.queue.scan(origin):
        desk.queue.delete(key)
        flight = desk.flights.get(name)
        if flight is not None and flight.stage == "waiting":
            desk.order(CancelTimer(QUEUED + name))
            flight.tries -= 1
            depart(desk, flight)
            return


def has_left(flight: Flight) -> bool:
    """Whether nobody waits for a flight any more."""
    return flight.leader == NOBODY and flight.waiters == 0


def _open(desk: Desk, flight: Flight, origin: bytes) -> None:
    stream = 2 * desk.next_number("streams") + 1
    target = flight.target
    to = (
        AtNode(Address(flight.node), write_opening(Tier(flight.tenant)))
        if flight.node
        else Legacy(target.host, target.port)
    )
    flight.stream, flight.is_reused, flight.is_reading = stream, False, False
    _ = desk.links.add(stream, Link(stream, origin, flight.name))
    desk.numbers.put(_busy(origin), (desk.numbers.get(_busy(origin)) or 0) + 1)
    desk.count("fetches")
    desk.order(OpenStream(stream, to, deadline_s=CONNECT_S))


def _busy(origin: bytes) -> bytes:
    return b"busy" + origin
