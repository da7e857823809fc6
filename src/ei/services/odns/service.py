"""Oblivious DNS: the first node knows who asks, the target what is asked, and none of them both.

    host ──▶ proxy ──▶ (nodes between) ──▶ target ──UDP, TCP──▶ resolver of its operator

A host seals each question to a key of the target (RFC 9230). The proxy sees who sends it, and no
word of it; it sends packets of its own, which say nothing of the host. The target opens the
question, asks the resolver, and seals the answer to whoever asked. Proxy and target have different
operators: the host chooses so, and the proxy refuses anything else.

What the two know together is everything: who sends a packet, and what is in it. Nothing here keeps
two operators from telling each other.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ei.sdk import (
    Address,
    Context,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    Packet,
    PacketArrived,
    Resolve,
    Resolved,
    SendPacket,
    Service,
    ServiceError,
    Started,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    Table,
    TimerFired,
    Towards,
    domain_number_of,
    towards,
)
from ei.services.odns import key_pairs, permits, shared_keys, streams, target, upstream
from ei.services.odns.config import Config
from ei.services.odns.messages import (
    Kind,
    Way,
    back,
    is_wanted_anew,
    keys_wanted,
    packet_of,
    pass_on,
    read_way,
    refused,
)

NOBODY_BYTES = 10
_PREFIX_BYTES = 6


class Waiting(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A question that a proxy has passed on.

    Attributes:
        host: Who asked.
        connection: By which, and is answered.
        hop: The peer that leads to the host.
        keys_of: The target whose keys it wants; without a length it is a question.
        is_anew: Others than this node knows.
    """

    host: Address
    connection: int
    hop: Address
    keys_of: Address = Address(b"")
    is_anew: bool = False


class Odns(Service[Config]):
    """Proxy, target, and what is between."""

    __slots__ = ()

    def on_start(self, event: Started, ctx: Context[Config]) -> Iterable[Effect]:
        """Be ready to be a target."""
        if ctx.config.resolver:
            yield from key_pairs.renew(ctx)
            yield from upstream.begin(ctx)

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Pass on, answer, or give back."""
        packet = event.packet
        way = read_way(packet.metadata)
        if way is None or not packet.is_covered:
            return (DropPacket("bad_message"),)
        if way.kind == Kind.ASK:
            return proxy(packet, way, ctx)
        if way.kind == Kind.PASS:
            if way.target == ctx.node:
                return target.take(packet, way, ctx)
            return carry(packet, way.target, ctx)
        if way.proxy == ctx.node:
            return give_back(packet, ctx)
        return carry(packet, way.proxy, ctx) if way.proxy else (DropPacket("bad_message"),)

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Renew keys, or look after the ports to the resolver."""
        if event.key == key_pairs.TIMER:
            return key_pairs.renew(ctx)
        return upstream.tick(ctx) if ctx.config.resolver else ()

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with streams that waited for it."""
        return streams.go_on(event.query, ctx)

    def on_stream(self, event: StreamEvent, ctx: Context[Config]) -> Iterable[Effect]:
        """Hear the resolver, or a host that asks at length."""
        if upstream.is_port(event.stream):
            return upstream.hear(event, ctx)
        match event:
            case StreamOpened():
                return streams.opened(event, ctx)
            case StreamData():
                return streams.read(event, ctx)
            case StreamClosed():
                return streams.closed(event, ctx)
            case StreamWritable():
                return ()


def proxy(packet: Packet, way: Way, ctx: Context[Config]) -> Iterable[Effect]:
    """Pass a host's question on as one of nobody's."""
    if packet.ingress != packet.source and domain_number_of(packet.ingress) != ctx.domain:
        return (DropPacket("bad_source"),)
    word = permits.why_not(way.target, ctx)
    if not isinstance(word, str):
        # All at once: a packet is held twice at most.
        missing = permits.unknown(way.target, ctx)
        hold = HoldPacket(until=missing[-1], timeout_s=ctx.config.hold_s)
        return (*map(Resolve, missing[:-1]), hold)
    found = word or towards((way.target,), packet, ctx)
    if isinstance(found, str):
        return refuse(packet, found)
    if not isinstance(found, tuple):
        return (HoldPacket(until=found, timeout_s=ctx.config.hold_s),)
    return ask_for(packet, way, found, ctx)


def ask_for(
    packet: Packet, way: Way, found: tuple[Towards, ...], ctx: Context[Config]
) -> Iterable[Effect]:
    """Ask a target for a host, or answer with the keys that others have of it."""
    per_s, burst = ctx.config.source_per_s, ctx.config.source_burst
    if not permits.take(packet.source, ctx, per_s=per_s, burst=burst):
        return refuse(packet, "too_many_of_source")
    keys = shared_keys.known(packet.payload, way.target, ctx)
    if keys is not None:
        return (SendPacket(answer_of(packet, keys), packet.ingress),)
    number = ctx.random.getrandbits(64)
    word = wait(packet, way, number, ctx) if found and found[0].is_up else "no_way"
    if word:
        return refuse(packet, word)
    payload = keys_wanted() if shared_keys.is_wish(packet.payload) else packet.payload
    onward = packet_of(nobody(ctx), number, pass_on(way.target, ctx.node), payload)
    return (SendPacket(onward, found[0].hop),)


def wait(packet: Packet, way: Way, number: int, ctx: Context[Config]) -> str:
    """Take note of who asked; return the word for why not, empty when it is done."""
    keys_of = way.target if shared_keys.is_wish(packet.payload) else Address(b"")
    is_anew = is_wanted_anew(packet.payload)
    waiting = Waiting(packet.source, packet.connection, packet.ingress, keys_of, is_anew)
    try:
        _waiting(ctx).put(number.to_bytes(8, "big"), waiting, ttl_s=ctx.config.answer_s)
    except ServiceError:
        return "too_many"
    return ""


def nobody(ctx: Context[Any]) -> Address:
    """Return an address of this domain that nobody has.

    A host's packets have the host's own: that one is another than who delivers it shows the target
    that it was not a host who sent it there.
    """
    return Address(ctx.node[:_PREFIX_BYTES] + ctx.random.randbytes(NOBODY_BYTES))


def carry(packet: Packet, node: Address, ctx: Context[Config]) -> Iterable[Effect]:
    """Hand on what is between a proxy and a target, as it is."""
    if packet.ingress == packet.source:
        return (DropPacket("no_proxy"),)
    found = towards((node,), packet, ctx)
    if not isinstance(found, tuple):
        return (HoldPacket(until=found, timeout_s=ctx.config.hold_s),)
    if not found:
        return (DropPacket("no_way"),)
    return (SendPacket(packet, found[0].hop),)


def give_back(packet: Packet, ctx: Context[Config]) -> Iterable[Effect]:
    """Give an answer to the host whose question it is for."""
    number = packet.connection.to_bytes(8, "big")
    waiting = _waiting(ctx).get(number)
    if waiting is None:
        return (DropPacket("unknown_answer"),)
    _waiting(ctx).delete(number)
    payload = shared_keys.shared(packet.payload, waiting.keys_of, ctx, is_anew=waiting.is_anew)
    answer = packet_of(waiting.host, waiting.connection, back(), payload)
    return (SendPacket(answer, waiting.hop),)


def refuse(packet: Packet, word: str) -> Iterable[Effect]:
    """Tell a host why not."""
    return (Count(word), SendPacket(answer_of(packet, refused(word)), packet.ingress))


def answer_of(packet: Packet, payload: bytes) -> Packet:
    """Return the proxy's own answer to a host's packet."""
    return packet_of(packet.source, packet.connection, back(), payload)


def _waiting(ctx: Context[Config]) -> Table[Waiting]:
    return Table(ctx.ephemeral, "waiting", Waiting)


SERVICE = Odns
