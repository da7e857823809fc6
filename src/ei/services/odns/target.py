"""A target: opens questions, has them answered, and seals the answers."""

from collections.abc import Iterable

import msgspec

from ei.sdk import (
    Address,
    Context,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    NodeStatement,
    OwnStatement,
    Packet,
    SendPacket,
    ServiceError,
)
from ei.services.odns import key_pairs, permits, upstream
from ei.services.odns.config import Config
from ei.services.odns.messages import (
    KEYS_WANTED,
    Way,
    back,
    keys,
    packet_of,
    question_of,
    refused,
)
from ei.services.odns.odoh import NONCE_BYTES, Answering, open_query, read_query

_ENC_PART = 16


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A question as the target has it.

    Attributes:
        dns: The message.
        question: Its question section, which the answer must have.
        by: Seals the answer.
    """

    dns: bytes
    question: bytes
    by: Answering


def take(packet: Packet, way: Way, ctx: Context[Config]) -> Iterable[Effect]:
    """Answer what a proxy passed on, or have it answered."""
    if packet.ingress == packet.source:
        return (DropPacket("no_proxy"),)
    word = permits.why_not_with(way.proxy, ctx)
    if not isinstance(word, str):
        return (HoldPacket(until=word, timeout_s=ctx.config.hold_s),)
    if not word and packet.payload[:1] == bytes((KEYS_WANTED,)):
        return _tell_keys(packet, way.proxy, ctx)
    effects = word or _ask(packet, way.proxy, ctx)
    if effects == "asked_again":
        return (DropPacket("asked_again"),)
    if isinstance(effects, str):
        return _refuse(packet, way.proxy, effects)
    return (*effects, DropPacket("asked"))


def _ask(packet: Packet, proxy: Address, ctx: Context[Config]) -> tuple[Effect, ...] | str:
    per_s, burst = ctx.config.peer_per_s, ctx.config.peer_burst
    if not permits.take(packet.ingress, ctx, per_s=per_s, burst=burst):
        return "too_many"
    opened = open_and_check(packet.payload, ctx)
    if isinstance(opened, str):
        return opened
    asked = upstream.Asked(
        hop=packet.ingress,
        source=packet.source,
        connection=packet.connection,
        proxy=proxy,
        question=opened.question,
        by=opened.by,
        slot=upstream.slot_at(ctx.now_s),
    )
    return upstream.ask(opened.dns, asked, ctx)


def open_and_check(payload: bytes, ctx: Context[Config]) -> Opened | str:
    """Return the question in a query; or the word for why there is none."""
    if not ctx.config.resolver:
        return "no_resolver"
    try:
        query = read_query(payload)
        own_keys = key_pairs.keys_of(query.key_id, ctx)
        if own_keys is None:
            return "unknown_key"
        if ctx.ephemeral.get(_seen(query.enc)) is not None:
            return "asked_again"
        dns, by = open_query(query, own_keys, ctx.random.randbytes(NONCE_BYTES))
    except ValueError:
        return "not_opened"
    return _noted(dns, by, query.enc, ctx)


def _noted(dns: bytes, by: Answering, enc: bytes, ctx: Context[Config]) -> Opened | str:
    """Return the question once it is noted that it was here."""
    question = question_of(dns)
    if question is None:
        return "bad_question"
    try:
        ctx.ephemeral.put(_seen(enc), b"", ttl_s=ctx.config.replay_s)
    except ServiceError:
        return "too_many"
    return Opened(dns, question, by)


def _seen(enc: bytes) -> bytes:
    return b"seen/" + enc[:_ENC_PART]


def _tell_keys(packet: Packet, proxy: Address, ctx: Context[Config]) -> Iterable[Effect]:
    pairs = key_pairs.all_of(ctx)
    if not pairs:
        return _refuse(packet, proxy, "no_resolver")
    query = OwnStatement(pairs[0].statement)
    if query not in ctx.records:
        return (HoldPacket(until=query, timeout_s=ctx.config.hold_s),)
    statement = ctx.records[query]
    if not isinstance(statement, NodeStatement):
        return _refuse(packet, proxy, "no_resolver")
    return (Count("keys_told"), _back(packet, proxy, keys(statement)))


def _refuse(packet: Packet, proxy: Address, word: str) -> Iterable[Effect]:
    return (Count(word), _back(packet, proxy, refused(word)))


def _back(packet: Packet, proxy: Address, payload: bytes) -> SendPacket:
    answer = packet_of(packet.source, packet.connection, back(proxy), payload)
    return SendPacket(answer, packet.ingress)
