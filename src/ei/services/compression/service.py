"""Compression: covered payloads are small between two nodes, by dictionaries of their tenant.

    host ── first node ══frames══▶ next node ── host
               │ Compress              │ Decompress
               └── before the pipe     └── first of all

The operator interposes it twice: as a guard of the pipe to the other node, where it compresses, and
at the front of the chain of a service, where it decompresses what that node has compressed. Both
are native stages; this code only decides which dictionary.

A dictionary is of one tenant and one service. The tenant trains and signs it, and gives it to its
node (`Offer`), which keeps it and gives it to the next node, as soon as packets go there. It is
used once that node says that it `Has` it; frames of the two versions before are still read, so that
what is under way is decoded. Nothing of one packet is context of another, and no tenant's frames
are read by another's dictionary.

Dictionaries are in the stable store. Who has which is in the ephemeral one: without it payloads go
uncompressed until the next node has said so again. Decisions carry the name of their object as tag.
"""

from collections.abc import Iterable, Iterator

import msgspec

from ei.sdk import (
    NOWHERE,
    Address,
    Compress,
    Context,
    ControlArrived,
    Count,
    Decompress,
    Effect,
    KeepDictionary,
    Packet,
    PacketArrived,
    PeerChanged,
    RevokeDecisions,
    SendControl,
    Service,
    Stage,
    Table,
    hand_on,
    is_signed_by,
    refuse,
)
from ei.services.compression.config import Config
from ei.services.compression.messages import (
    NUMBERS,
    Dictionary,
    Has,
    Offer,
    Taken,
    name_of,
    said,
)

COMPRESSION = 37
USED_EVERY_S, UNUSED_S = 3_600.0, 86_400.0
VERSIONS = 3
"""Dictionaries that are kept of one tenant and service, as one native object does."""

MESSAGES = Offer | Taken | Has


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A dictionary as it was offered, and when (wall clock)."""

    offer: Offer
    taken_unix_s: float


class Compression(Service[Config]):
    """Decides which dictionary the payloads between two nodes are compressed by."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Compress what goes to the other node, decompress what comes from it, pass the rest."""
        packet = event.packet
        if packet.egress != NOWHERE:
            return compress(packet, ctx)
        if packet.service == COMPRESSION:
            return refuse(packet, "interposed_only", ttl_s=ctx.config.decision_s)
        return decompress(packet, ctx)

    def on_control(self, event: ControlArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Take a dictionary, or note that the other node has one."""
        match event.message:
            case Offer() as offer:
                return take(offer, event.sender, ctx)
            case Has() as has:
                return note(has, event.sender, ctx)
            case Taken() as answer:
                return give_up(answer, event.sender, ctx)
            case other:
                raise TypeError(f"not a message of compression: {other!r}")

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """Forget what the other node has, which it may have lost, and tell it what is here."""
        known, offered = known_at(ctx), offered_to(ctx)
        for key, _ in list(known.scan(event.peer)):
            known.delete(key)
            offered.delete(key)
            yield RevokeDecisions(tag=key.removeprefix(event.peer))
        if event.is_up and ctx.config.has_node(event.peer):
            for name, versions in versions_kept(ctx).scan():
                yield SendControl(has_of(name, versions[-1], ctx), to=event.peer)


# -- packets --------------------------------------------------------------------------------------


def compress(packet: Packet, ctx: Context[Config]) -> Iterator[Effect]:
    """Compress by what the next node has; offer it what it has not."""
    name = name_of(ctx.config.tenant_of(packet.source), packet.service)
    versions = versions_of(name, ctx)
    if not versions or not ctx.config.has_node(packet.egress):
        yield from hand_on(packet, ttl_s=ctx.config.decision_s, tag=name)
        return
    has = known_at(ctx).get(packet.egress + name)
    stages: tuple[Stage, ...] = ()
    if has is not None and has.version in versions and has.limit_bytes >= ctx.config.limit_bytes:
        ratio = min(ctx.config.ratio, has.ratio)
        stages = (Compress(name, NUMBERS + has.version, ratio),)
        yield from keep(name, ctx)
    if has is None or has.version < versions[-1]:
        yield from offer_to(name, packet.egress, ctx)
    yield from hand_on(packet, ttl_s=ctx.config.decision_s, tag=name, stages=stages)


def decompress(packet: Packet, ctx: Context[Config]) -> Iterator[Effect]:
    """Decompress what a node sends by the dictionaries of its tenant; others send no frames."""
    name = name_of(ctx.config.tenant_of(packet.source), packet.service)
    stages: tuple[Stage, ...] = ()
    if ctx.config.has_node(packet.ingress) and versions_of(name, ctx):
        stages = (Decompress(name, ctx.config.ratio, ctx.config.limit_bytes),)
        yield from keep(name, ctx)
    yield from hand_on(packet, ttl_s=ctx.config.decision_s, tag=name, stages=stages)


def keep(name: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Let the stages have the dictionaries, unless they were told lately."""
    told = Table(ctx.ephemeral, "told", int)
    if told.get(name) is None:
        told.put(name, 1, ttl_s=ctx.config.decision_s)
        note_used(name, ctx)
        for dictionary in dictionaries_of(name, ctx):
            yield KeepDictionary(name, dictionary.trained)


def offer_to(name: bytes, node: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Offer the newest dictionary to a node, unless it was offered lately."""
    offered = offered_to(ctx)
    newest = list(kept_of(name, ctx))[-1:]
    if newest and node in ctx.peers and offered.get(node + name) is None:
        offered.put(node + name, 1, ttl_s=ctx.config.offer_s)
        yield Count("offered")
        yield SendControl(newest[0].offer, to=node)


# -- dictionaries ---------------------------------------------------------------------------------


def take(offer: Offer, sender: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Keep a dictionary that its tenant has signed; offer it to who had the one before."""
    dictionary = read_dictionary(offer)
    if dictionary is None:
        yield Count("refused")
        return
    is_from_node = ctx.config.has_node(sender)
    reason = why_not(dictionary, offer, sender, ctx)
    if reason == "full":
        yield from forget_unused(ctx)
        reason = why_not(dictionary, offer, sender, ctx)
    answer = Taken(dictionary.tenant, dictionary.service, dictionary.version, reason)
    if reason:
        yield Count("refused")
        yield SendControl(answer, to=sender)
        if reason == "superseded" and is_from_node:
            offered_to(ctx).delete(sender + dictionary.name)
            yield from offer_to(dictionary.name, sender, ctx)
        return
    has = has_of(dictionary.name, dictionary.version, ctx)
    if not is_known(dictionary, ctx):
        put(dictionary, offer, ctx)
        yield Count("taken")
        yield KeepDictionary(dictionary.name, dictionary.trained)
        yield RevokeDecisions(tag=dictionary.name)
        yield from tell_others(has, sender, ctx)
    yield SendControl(has if is_from_node else answer, to=sender)


def tell_others(has: Has, sender: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Tell the other nodes what is here: they may use a version that is forgotten."""
    name = name_of(Address(has.tenant), has.service)
    for node in ctx.config.addresses:
        if node == sender or node not in ctx.peers:
            continue
        yield SendControl(has, to=node)
        if known_at(ctx).get(node + name) is not None:
            offered_to(ctx).delete(node + name)
            yield from offer_to(name, node, ctx)


def read_dictionary(offer: Offer) -> Dictionary | None:
    """Return what is offered; `None` when it cannot be read."""
    try:
        return msgspec.msgpack.decode(offer.statement, type=Dictionary)
    except msgspec.MsgspecError:
        return None


def why_not(dictionary: Dictionary, offer: Offer, sender: Address, ctx: Context[Config]) -> str:
    """Return why a dictionary is not taken; empty when it is."""
    tenant = Address(dictionary.tenant)
    is_from_node = ctx.config.has_node(sender)
    if sender != tenant and not is_from_node:
        return "not_yours"
    if not is_signed_by(said(offer.statement), offer.signature, tenant, offer.key):
        return "bad_signature"
    if not dictionary.is_one:
        return "bad_dictionary"
    if is_known(dictionary, ctx):
        return ""
    newest = list(kept_of(dictionary.name, ctx))[-1:]
    if not newest:
        return "" if has_room(tenant, ctx) else "full"
    return why_not_after(newest[0], dictionary, ctx, is_hasty=is_from_node)


def why_not_after(
    newest: Kept, dictionary: Dictionary, ctx: Context[Config], *, is_hasty: bool
) -> str:
    """Return why a dictionary does not take the place of the newest one; empty when it does."""
    before = read_dictionary(newest.offer)
    if before is not None and before.version >= dictionary.version:
        return "superseded"
    age_s = ctx.unix_s - newest.taken_unix_s
    # Of what a node hands on, that node has seen to it.
    return "too_soon" if not is_hasty and 0 <= age_s < ctx.config.overlap_s else ""


def note(has: Has, sender: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """From now on payloads to that node are compressed by this version, or by none.

    A node that has a version which is not here may have forgotten the one in use.
    """
    name = name_of(Address(has.tenant), has.service)
    if not ctx.config.has_node(sender):
        return
    if has.version in versions_of(name, ctx):
        known_at(ctx).put(sender + name, has)
        yield RevokeDecisions(tag=name)
    elif known_at(ctx).get(sender + name) is not None:
        known_at(ctx).delete(sender + name)
        offered_to(ctx).delete(sender + name)
        yield RevokeDecisions(tag=name)


def give_up(answer: Taken, sender: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """What a node does not take, or has forgotten, is used for it no more."""
    if not answer.reason:
        return
    yield Count("refused")
    name = name_of(Address(answer.tenant), answer.service)
    if ctx.config.has_node(sender) and known_at(ctx).get(sender + name) is not None:
        known_at(ctx).delete(sender + name)
        yield RevokeDecisions(tag=name)


def put(dictionary: Dictionary, offer: Offer, ctx: Context[Config]) -> None:
    """Keep a dictionary, and of its object no more than the newest."""
    table, name = kept(ctx), dictionary.name
    versions = (*versions_of(name, ctx), dictionary.version)
    table.put(_key(name, dictionary.version), Kept(offer, ctx.unix_s))
    for version in versions[:-VERSIONS]:
        table.delete(_key(name, version))
    versions_kept(ctx).put(name, versions[-VERSIONS:])
    note_used(name, ctx)


def note_used(name: bytes, ctx: Context[Config]) -> None:
    """Note that packets need the dictionaries, about once an hour."""
    used = Table(ctx.stable, "used", float)
    if abs(ctx.unix_s - (used.get(name) or 0.0)) > USED_EVERY_S:
        used.put(name, ctx.unix_s)


def forget_unused(ctx: Context[Config]) -> Iterator[Effect]:
    """Where there are as many dictionaries as may be, those that no packet needed for a day go."""
    all_kept, used = versions_kept(ctx), Table(ctx.stable, "used", float)
    names = list(all_kept.scan())
    if len(names) < ctx.config.dictionaries:
        return
    for name, versions in names:
        if ctx.unix_s - (used.get(name) or 0.0) > UNUSED_S:
            for version in versions:
                kept(ctx).delete(_key(name, version))
            all_kept.delete(name)
            used.delete(name)
            yield RevokeDecisions(tag=name)
            forgotten = has_of(name, versions[-1], ctx)
            for node in ctx.config.addresses:
                if node in ctx.peers:
                    yield SendControl(
                        Taken(forgotten.tenant, forgotten.service, forgotten.version, "forgotten"),
                        to=node,
                    )


def has_of(name: bytes, version: int, ctx: Context[Config]) -> Has:
    """Return what another node is told of a version that is here."""
    tenant, service = name[:-4], int.from_bytes(name[-4:], "big")
    return Has(tenant, service, version, ctx.config.ratio, ctx.config.limit_bytes)


def versions_kept(ctx: Context[Config]) -> Table[tuple[int, ...]]:
    """The versions of each object."""
    return Table(ctx.stable, "versions", tuple[int, ...])


def versions_of(name: bytes, ctx: Context[Config]) -> tuple[int, ...]:
    """Return which versions of a tenant and service are kept, without reading them."""
    return versions_kept(ctx).get(name) or ()


def _key(name: bytes, version: int) -> bytes:
    return name + version.to_bytes(4, "big")


def is_known(dictionary: Dictionary, ctx: Context[Config]) -> bool:
    """Return whether exactly this one is kept."""
    return dictionary in dictionaries_of(dictionary.name, ctx)


def has_room(tenant: Address, ctx: Context[Config]) -> bool:
    """Return whether one more tenant and service may have dictionaries."""
    names = [name for name, _ in versions_kept(ctx).scan()]
    of_tenant = sum(name.startswith(tenant) for name in names)
    return len(names) < ctx.config.dictionaries and of_tenant < ctx.config.services_per_tenant


def dictionaries_of(name: bytes, ctx: Context[Config]) -> list[Dictionary]:
    """Return those of a tenant and service, the newest last."""
    found = (read_dictionary(each.offer) for each in kept_of(name, ctx))
    return [dictionary for dictionary in found if dictionary is not None]


def kept_of(name: bytes, ctx: Context[Config]) -> Iterator[Kept]:
    """Yield what was taken for a tenant and service, the newest last."""
    for _, each in kept(ctx).scan(name):
        yield each


def kept(ctx: Context[Config]) -> Table[Kept]:
    """Dictionaries, by object and version."""
    return Table(ctx.stable, "kept", Kept)


def known_at(ctx: Context[Config]) -> Table[Has]:
    """What other nodes have, by node and object."""
    return Table(ctx.ephemeral, "has", Has)


def offered_to(ctx: Context[Config]) -> Table[int]:
    """What other nodes were offered lately, by node and object."""
    return Table(ctx.ephemeral, "offered", int)


SERVICE = Compression
