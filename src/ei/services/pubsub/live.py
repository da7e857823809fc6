"""Packets: at most once, copied natively to all who want them.

    publisher ── A ──┬── subscriber            a packet of kind LIVE
                     └── B ── subscriber       between nodes LIVE_BETWEEN: B copies to hosts alone

Each node of the exchange knows what its hosts want, and tells the others. A decision has one of
1,024 tags, by its subject. A change of what is wanted ends the decisions of the subjects that it
is about: those that were decided lately are known, as long as they are not too many to look at.
"""

from collections.abc import Iterable
from zlib import crc32

from ei.sdk import (
    Address,
    Connection,
    Effect,
    Hop,
    Packet,
    SendControl,
    SendPacket,
    forward,
    refuse,
)
from ei.services.pubsub.desk import Desk
from ei.services.pubsub.messages import (
    KEPT,
    KEPT_BETWEEN,
    LIVE,
    LIVE_BETWEEN,
    Record,
    Want,
    Wanted,
    Wish,
    write_payload,
)
from ei.services.pubsub.subjects import Wishes, does_match, is_filter, is_subject, size_bytes

TAGS = 1_024
LOOKED_AT = 5_000
"""Decided subjects that are looked at for a wildcard; with more all decisions end."""
WISHES_A_MESSAGE = 250
MOST_COPIES = 1_000
"""Of one message."""
MOST_PACKET_BYTES = 1_100
"""Payload of a packet; what is kept and longer is read from the log alone."""


# -- copies ---------------------------------------------------------------------------------------


def copy(desk: Desk, packet: Packet) -> Iterable[Effect]:
    """Copy a packet to all who want it, now and from now on."""
    config = desk.config
    kind, subject = packet.metadata[:1], subject_of(packet.metadata)
    if not subject:
        return refuse(packet, "bad_subject", ttl_s=config.refusal_s)
    is_first = kind == bytes((LIVE,)) and packet.ingress == packet.source
    is_between = kind in (bytes((LIVE_BETWEEN,)), bytes((KEPT_BETWEEN,)))
    if not is_first and not (is_between and packet.ingress in config.exchange):
        return refuse(packet, "stranger", ttl_s=config.refusal_s)
    wishes = desk.kept if kind == bytes((KEPT_BETWEEN,)) else desk.live
    hops = tuple(
        Hop(to, None if metadata == packet.metadata else metadata)
        for to, metadata in targets(desk, wishes, subject, is_between=is_between)
    )
    tag = tag_of(subject)
    desk.decided.put(subject.encode(), True, ttl_s=config.decision_s)  # noqa: FBT003 a mark
    if not hops:
        return refuse(packet, "no_subscribers", ttl_s=config.refusal_s, tag=tag)
    return forward(packet, hops, ttl_s=config.decision_s, tag=tag)


def show(desk: Desk, entry: Record, position: int) -> None:
    """Send what was kept to those who want it as packets."""
    payload = write_payload(position, entry.extra, entry.data)
    # Positions ascend within one log: who receives them tells the logs apart by this.
    series = Connection(int.from_bytes(desk.ctx.node[8:], "big"))
    if len(payload) > MOST_PACKET_BYTES:
        return
    for to, metadata in targets(desk, desk.kept, entry.subject, is_between=False):
        packet = Packet(
            service=50,
            ingress=desk.ctx.node,
            source=Address(entry.host),
            connection=series,
            metadata=metadata,
            payload=payload,
            is_covered=True,
        )
        desk.order(SendPacket(packet, to))


def targets(
    desk: Desk, wishes: Wishes, subject: str, *, is_between: bool
) -> list[tuple[Address, bytes]]:
    """Return who gets a copy, and with what metadata: hosts, and from the first node also nodes."""
    is_live = wishes is desk.live
    to_host = bytes((LIVE if is_live else KEPT,)) + subject.encode()
    to_node = bytes((LIVE_BETWEEN if is_live else KEPT_BETWEEN,)) + subject.encode()
    exchange = desk.config.exchange
    found = [
        (Address(who), to_node if who in exchange else to_host)
        for who in wishes.meeting(subject)
        if who in desk.ctx.peers and not (is_between and who in exchange)
    ]
    if len(found) > MOST_COPIES:
        desk.count("fan_out_capped", len(found) - MOST_COPIES)
    return found[:MOST_COPIES]


def subject_of(metadata: bytes) -> str:
    """Return the subject of a packet, empty when there is none."""
    try:
        subject = metadata[1:].decode()
    except UnicodeDecodeError:
        return ""
    return subject if is_subject(subject) else ""


def tag_of(wanted: str) -> bytes:
    """Return the tag of decisions about a subject."""
    return _tag(crc32(wanted.encode()) % TAGS)


def _tag(number: int) -> bytes:
    return number.to_bytes(2, "big")


# -- wishes ---------------------------------------------------------------------------------------


def take(desk: Desk, sender: Address, message: Want) -> None:
    """Note what a host or a node of the exchange wants."""
    is_node = sender in desk.config.exchange
    added = dict.fromkeys(wish for wish in message.added if is_filter(wish.filter))
    removed = list(message.removed)
    refused = len(message.added) - len(added)
    if message.is_whole:
        removed += [wish for wish in wishes_of(desk, sender) if wish not in added]
    for wish in removed:
        forget(desk, wish, sender, is_node=is_node)
    room = desk.config.wishes_per_host - desk.live.count_of(sender) - desk.kept.count_of(sender)
    room_bytes = (
        desk.config.wish_bytes_per_host - desk.live.bytes_of(sender) - desk.kept.bytes_of(sender)
    )
    for wish in added:
        size = size_bytes(wish.filter)
        if table(desk, wish).has(wish.filter, sender):
            continue
        if not is_node and (room <= 0 or size > room_bytes):
            refused += 1
            continue
        room, room_bytes = room - 1, room_bytes - size
        note(desk, wish, sender, is_node=is_node)
    if refused:
        desk.count("wishes_refused", refused)
    tell_others(desk)
    desk.order(SendControl(Wanted(message.number, refused), to=sender))


def leave(desk: Desk, peer: Address) -> None:
    """Forget what a peer wanted that is gone."""
    is_node = peer in desk.config.exchange
    for wish in list(wishes_of(desk, peer)):
        forget(desk, wish, peer, is_node=is_node)
    tell_others(desk)


def note(desk: Desk, wish: Wish, who: Address, *, is_node: bool) -> None:
    """Note a wish; the other nodes hear of the first of the hosts here."""
    is_first = not is_node and not has_hosts(desk, wish)
    if table(desk, wish).add(wish.filter, who):
        change(desk, wish)
        if is_first:
            desk.news.append((wish, True))


def forget(desk: Desk, wish: Wish, who: Address, *, is_node: bool) -> None:
    """Forget a wish; the other nodes hear when no host here has it any more."""
    if table(desk, wish).remove(wish.filter, who):
        change(desk, wish)
        if not is_node and not has_hosts(desk, wish):
            desk.news.append((wish, False))


def tell_all(desk: Desk, node: Address) -> None:
    """Tell a node of the exchange all that the hosts here want."""
    wishes: list[Wish] = []
    for is_kept, wished in ((False, desk.live), (True, desk.kept)):
        for wanted in wished.filters():
            wish = Wish(wanted, is_kept)
            if has_hosts(desk, wish):
                wishes.append(wish)
    for start in range(0, max(1, len(wishes)), WISHES_A_MESSAGE):
        part = tuple(wishes[start : start + WISHES_A_MESSAGE])
        desk.order(SendControl(Want(0, is_whole=start == 0, added=part), to=node))


def tell_others(desk: Desk) -> None:
    """Tell the other nodes of the exchange what is wanted here now, and what is not any more."""
    for start in range(0, len(desk.news), WISHES_A_MESSAGE):
        part = desk.news[start : start + WISHES_A_MESSAGE]
        added = tuple(wish for wish, is_wanted in part if is_wanted)
        removed = tuple(wish for wish, is_wanted in part if not is_wanted)
        for node in desk.config.exchange:
            if node != desk.ctx.node and node in desk.ctx.peers:
                desk.order(SendControl(Want(0, is_whole=False, added=added, removed=removed), node))


def has_hosts(desk: Desk, wish: Wish) -> bool:
    """Whether a host here has this very wish."""
    exchange = desk.config.exchange
    return any(who not in exchange for who in table(desk, wish).who_wants(wish.filter))


def table(desk: Desk, wish: Wish) -> Wishes:
    """Return where such wishes are."""
    return desk.kept if wish.is_kept else desk.live


def wishes_of(desk: Desk, who: Address) -> Iterable[Wish]:
    """Yield what somebody wants."""
    for wanted in desk.live.of(who):
        yield Wish(wanted, is_kept=False)
    for wanted in desk.kept.of(who):
        yield Wish(wanted, is_kept=True)


def change(desk: Desk, wish: Wish) -> None:
    """Let what was decided without this wish, or with it, be decided anew."""
    literal = wish.filter.partition("+")[0].partition("#")[0]
    if literal == wish.filter:
        desk.stale.add(tag_of(wish.filter))
        return
    if len(desk.stale) == TAGS:
        return
    beginning = literal.removesuffix("/").encode()
    for subject, _ in desk.decided.scan(beginning):
        desk.looked_at += 1
        if desk.looked_at > LOOKED_AT:
            desk.stale.update(map(_tag, range(TAGS)))
            return
        if does_match(wish.filter, subject.decode()):
            desk.stale.add(tag_of(subject.decode()))
