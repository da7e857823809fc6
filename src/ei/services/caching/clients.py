"""Streams that others opened: who they are, what comes by them, when they leave."""

from typing import NamedTuple

import msgspec

from ei.sdk import (
    Address,
    CancelTimer,
    CloseStream,
    StreamClosed,
    StreamData,
    StreamOpened,
    StreamWritable,
    domain_number_of,
)
from ei.services.caching import fetching, requests, serving, waiters
from ei.services.caching.config import Config
from ei.services.caching.http1 import HttpError
from ei.services.caching.messages import Site, Tier, read_opening
from ei.services.caching.state import NOBODY, Client, Desk, Idle, Reading, Waiting, key_of_number
from ei.services.caching.targets import read_authority


class Visitor(NamedTuple):
    """Who opened a stream, and for what.

    Attributes:
        tenant: Whose requests come by it.
        site: The one site that they are for, if they are.
        is_tier: It is another node of the tier.
    """

    tenant: bytes
    site: tuple[str, int] | None
    is_tier: bool


def tenant_of(peer: Address, config: Config) -> bytes:
    """Return with whom a host shares what is kept."""
    return bytes(peer) if config.tenant == "host" else domain_number_of(peer).to_bytes(4, "big")


def visitor_of(opening: bytes, peer: Address, config: Config) -> Visitor:
    """Return who opened a stream, and for what.

    Raises:
        HttpError: The opening cannot be read, or is not one for this peer.
    """
    try:
        said = read_opening(opening)
    except msgspec.MsgspecError as error:
        raise HttpError("bad_opening") from error
    match said:
        case Tier(tenant) if peer in config.tier:
            return Visitor(tenant, None, is_tier=True)
        case Tier():
            raise HttpError("bad_opening")
        case Site(host, port):
            name, _ = read_authority(f"[{host}]" if ":" in host else host)
            return Visitor(tenant_of(peer, config), (name, port), is_tier=False)
        case None:
            return Visitor(tenant_of(peer, config), None, is_tier=False)


def opened(desk: Desk, event: StreamOpened) -> None:
    """Wait for the first request, or say why there will be none."""
    try:
        tenant, site, is_tier = visitor_of(event.opening, event.peer, desk.config)
    except HttpError as error:
        client = Client(event.stream, b"", None, is_tier=False, window=event.window)
        _ = desk.clients.add(event.stream, client)
        requests.turn_away(desk, client, error.status, "bad_opening")
        return
    client = Client(event.stream, tenant, site, is_tier, event.window)
    requests.take(desk, desk.clients.add(event.stream, client))


def came(desk: Desk, event: StreamData) -> None:
    """Take what a client sent: a request, a part of one, or of its body."""
    client = desk.clients.get(event.stream)
    if client is None:
        return
    client.is_reading = False
    client.has_ended = event.is_end
    client.buffer += event.data
    flight = desk.flights.get(serving.waits_for(client) or bytes(8))
    if flight is not None and flight.leader == client.stream and not flight.upload.is_done:
        requests.take_upload(desk, client, flight)
    elif isinstance(client.doing, Idle) and client.request is None:
        requests.take(desk, client)
    elif not client.is_kept_alive:
        client.buffer = b""


def writable(desk: Desk, event: StreamWritable) -> None:
    """Write on."""
    client = desk.clients.get(event.stream)
    if client is not None:
        client.window = event.window
        if client.is_stalled:
            client.is_stalled = False
            desk.order(CancelTimer(serving.STALLED + key_of_number(client.stream)))
        waiters.go_on(desk, client)


def lose_patience(desk: Desk, client: Client, kind: bytes) -> None:
    """Wait no longer for the head of a request, or for a client that takes nothing."""
    if kind == requests.HEAD and client.is_timed:
        requests.turn_away(desk, client, 408, "head_too_slow")
    elif kind == serving.STALLED and client.is_stalled:
        leave(desk, client)
        desk.order(CloseStream(client.stream))


def closed(desk: Desk, event: StreamClosed) -> None:
    """Forget a client."""
    client = desk.clients.get(event.stream)
    if client is not None:
        leave(desk, client)


def leave(desk: Desk, client: Client) -> None:
    """Forget a client, and let go of what was there for it alone."""
    key = key_of_number(client.stream)
    if client.is_timed:
        desk.order(CancelTimer(requests.HEAD + key))
    if client.is_stalled:
        desk.order(CancelTimer(serving.STALLED + key))
    match client.doing:
        case Waiting(name):
            flight = desk.flights.get(name)
            if flight is not None:
                requests.give_up(desk, client, flight)
        case Reading(body):
            content = desk.contents.get(body)
            serving.let_go(desk, client)
            flight = desk.flights.get(content.flight) if content and content.is_passing else None
            if flight is not None and flight.stage != "done":
                flight.leader = NOBODY
                fetching.hang_up(desk, flight, is_reusable=False)
                waiters.finish(desk, flight)
        case Idle():
            pass
    desk.clients.remove(client.stream)
