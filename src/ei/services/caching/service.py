"""Caching: what an origin of HTTP said before is said again near the client, as long as it may.

    client ══stream══▶ node ──kept and fresh?──▶ answered from here
                         └──else: one fetch for all who ask──▶ node of the tier ──▶ origin

A stream is one of HTTP/1.1: to a proxy (no opening), to one site (`Site`), or from another node of
the tier (`Tier`). Requests on it are answered one after the other. What RFC 9111 lets a shared
cache keep is kept: small bodies in memory, large ones and what falls out of memory on disk, and
what is used least leaves first. All who ask for the same while it is fetched wait for that one
fetch and read the answer as it comes. Where the origin is silent or fails, what is kept may be
used stale.

Nothing that is not in the key reaches others: the key is the tenant and the target alone, fields
that let a request pass for another one are taken out, and an answer to a request with fields
unknown here is not kept (see `targets.py`). Bytes are pulled: a client that does not read stops
what only it waits for; what is kept is read as fast as it comes, since its size is bounded.
"""

from collections.abc import Iterable
from typing import assert_never

from ei.sdk import (
    Context,
    ControlArrived,
    Effect,
    PacketArrived,
    PeerChanged,
    SendControl,
    Service,
    Started,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    TimerFired,
    refuse,
)
from ei.services.caching import (
    clients,
    contents,
    fetching,
    flights,
    origins,
    requests,
    serving,
    waiters,
)
from ei.services.caching.clients import tenant_of
from ei.services.caching.config import Config
from ei.services.caching.http1 import HttpError
from ei.services.caching.messages import MESSAGES, Heard, Mark, Purge, Purged, Spread
from ei.services.caching.state import Desk
from ei.services.caching.targets import key_of, label_of, target_of_url

__all__ = ["MESSAGES", "SERVICE", "Config"]

REFUSAL_S = 10.0


class Caching(Service[Config]):
    """Answers requests of HTTP by what it keeps, or by one fetch for all who ask."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Refuse: a cache is asked by streams."""
        return refuse(event.packet, "streams_only", ttl_s=REFUSAL_S)

    def on_start(self, event: Started, ctx: Context[Config]) -> Iterable[Effect]:
        """Begin: what the disk has from before is asked for anew once, as purges were missed."""
        desk = Desk(ctx)
        desk.purges.begin(ctx.unix_s)
        desk.begin()
        contents.sweep(desk)
        return desk.effects()

    def on_stream(self, event: StreamEvent, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with a client, or with a connection to an origin."""
        desk = Desk(ctx)
        is_own = event.stream % 2 == 1
        match event:
            case StreamOpened():
                (origins.opened if is_own else clients.opened)(desk, event)
            case StreamData():
                (origins.came if is_own else clients.came)(desk, event)
            case StreamWritable():
                (origins.writable if is_own else clients.writable)(desk, event)
            case StreamClosed():
                (origins.closed if is_own else clients.closed)(desk, event)
            case _:
                assert_never(event)
        return settled(desk)

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with those who wait, or end the patience with a slow head."""
        desk = Desk(ctx)
        kind, name = event.key[:4], event.key[4:]
        flight, client = desk.flights.get(name), desk.clients.get(name)
        if kind == contents.SWEEP:
            contents.sweep(desk)
        elif kind == serving.WAKE:
            waiters.go_on_reading(desk, name)
        elif kind == waiters.FREE and flight is not None:
            waiters.free(desk, flight)
        elif kind == fetching.QUEUED and flight is not None:
            flights.give_up_waiting(desk, flight)
        elif client is not None:
            clients.lose_patience(desk, client, kind)
        return settled(desk)

    def on_control(self, event: ControlArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Purge, here and at the other nodes of the tier."""
        desk = Desk(ctx)
        is_fellow = event.sender in ctx.config.tier
        match event.message:
            case Purge() as message:
                desk.count("purges")
                purge(desk, message, tenant_of(event.sender, ctx.config))
                desk.order(SendControl(Purged(message.number), to=event.sender))
            case Spread(epoch, after, marks) if is_fellow:
                for mark in marks:
                    desk.purges.apply(mark, ctx.unix_s)
                desk.order(SendControl(Heard(epoch, after), to=event.sender))
            case Heard() as message if is_fellow:
                desk.order(*desk.purges.hear(event.sender, message))
            case _:
                pass  # of a stranger, or an answer to nothing
        return settled(desk)

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Tell a node of the tier that is back what was purged meanwhile."""
        desk = Desk(ctx)
        if event.is_up and event.peer in ctx.config.tier:
            desk.order(*desk.purges.tell(event.peer))
        return desk.effects()


def settled(desk: Desk) -> tuple[Effect, ...]:
    """Go on with all whose turn came by this event; return what all of it asks for."""
    while desk.ready:
        stream, step = desk.ready.pop(0)
        client = desk.clients.get(stream)
        if client is not None:
            requests.step(desk, client, is_again=step == "again")
    for name in desk.hungry:
        flight = desk.flights.get(name)
        if flight is not None and flight.stage == "body":
            fetching.read_answer(desk, flight)
    for node in desk.config.tier if desk.has_purged else ():
        if node != desk.ctx.node and node in desk.ctx.peers:
            desk.order(*desk.purges.tell(node))
    return desk.effects()


# -- purges ---------------------------------------------------------------------------------------


def purge(desk: Desk, message: Purge, tenant: bytes) -> None:
    """Purge what a tenant has kept, here and at the other nodes of the tier."""
    labels = [label_of(tenant, b"t" + tag) for tag in message.tags]
    for url in message.urls:
        try:
            key = key_of(tenant, target_of_url(url))
        except HttpError:
            continue  # nothing can be kept of it
        labels.append(label_of(tenant, b"k" + key))
    marks = [Mark(label, message.is_soft) for label in labels]
    for mark in marks:
        desk.purges.apply(mark, desk.ctx.unix_s)
    desk.purges.log(marks)
    desk.has_purged = True


SERVICE = Caching
