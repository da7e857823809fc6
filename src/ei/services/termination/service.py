"""Termination: a host's stream ends at its node, and goes on from there.

    host ══QUIC══▶ first node ──TCP──▶ server
    host ══QUIC══▶ first node ══QUIC, warm══▶ exit ──TCP──▶ server

Each segment has its own congestion control: what the last mile loses is sent again over the last
mile alone. Where a stream goes is in its opening. The node that goes on to the target says once how
that went (`Status`); what is before it only splices, so the status passes. From then on bytes go
natively, and this code does not see them.

A stream to port 443 of a site of the operator's ends its TLS here as well, with the site's own
certificate, and goes on in the clear to the site's origin, sealed as everything between nodes. That
it is open is said at once, so that the client's greeting is answered by this node and nobody else;
the node that goes on keeps connections to the origin ready.

A stream with an even number came here, its partner `number | 1` goes on. An opening that is under
way is in the ephemeral store; of what is open only sessions are (`sessions.py`).
"""

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import (
    MAX_AHEAD,
    Address,
    AtHost,
    AtNode,
    CloseStream,
    Context,
    Effect,
    Legacy,
    OpenStream,
    PacketArrived,
    Service,
    SpliceStreams,
    StartTls,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamTarget,
    StreamWritable,
    Table,
    TimerFired,
    WriteStream,
    refuse,
)
from ei.services.termination import sessions
from ei.services.termination.messages import (
    MAX_DETAIL,
    OPEN,
    Opening,
    Status,
    read_opening,
    write_opening,
    write_status,
)
from ei.services.termination.sessions import Limits, Session, tell_not

OVER = {"ended", "closed"}
"""Reasons after which the partner is closed already: by its own end, or by this service."""

REFUSAL_S = 10.0
ANYWHERE = "*"
HTTPS_PORT = 443
MAX_PORT = 65_535

SENTENCES = {
    "refused": "{target} accepts no connection",
    "unreachable": "node {node} does not reach {target}, or finds no address of that name",
    "not_allowed": "the operator of node {node} does not allow {target}",
    "deadline": "{target} has not answered within {s:g} s",
    "too_many_streams": "node {node} carries as many streams as it may",
}
NO_WAY_TO_EXIT = "node {node} does not reach the node that is to go on to {target}"
ENDED = "the stream from node {node} to {target} has ended: {reason}"


class Config(Limits, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, exits, and what sessions may take.

    Attributes:
        open_s: How long the other end has to answer, up to 60.
        exits: Name of a legacy host, a domain that it is in, or `*` for all, to the address of the
            node that goes on to it. The longest counts; without one, this node goes on itself.
        sites: Name of a site of this node's `[sites]` to its origin, `HOST:PORT` in the clear: TLS
            to port 443 of the name ends here. Which node goes on is said by `exits`, by the name.
        ahead: Target `HOST:PORT` to the connections that this node keeps open to it for the next
            streams, where it goes on itself; up to 64.
    """

    open_s: float
    exits: dict[str, str]
    sites: dict[str, str]
    ahead: dict[str, Annotated[int, Meta(ge=1, le=MAX_AHEAD)]]

    def __post_init__(self) -> None:
        for name, node in self.exits.items():
            try:
                _ = IPv6Address(node)
            except ValueError as error:
                raise ValueError(f"exits.{name}: not the address of a node: {error}") from error
        for name, origin in self.sites.items():
            _ = target_of(origin, where=f"sites.{name}")
        for target in self.ahead:
            _ = target_of(target, where="ahead")


class Underway(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An opening that has no answer yet.

    Attributes:
        target: For people.
        is_last: This node goes on to the target itself, and so says how that went.
        is_told: That it is open was said already.
        session: By which another stream can take its place; empty for none.
        peer: Who opened it.
    """

    target: str
    is_last: bool
    is_told: bool = False
    session: bytes = b""
    peer: Address = Address(b"")


class Termination(Service[Config]):
    """Joins the stream of a host to one to its target."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Refuse it: what belongs to streams does not come here."""
        return refuse(event.packet, "streams_only", ttl_s=REFUSAL_S)

    def on_stream(self, event: StreamEvent, ctx: Context[Config]) -> Iterable[Effect]:
        """Open, join, and say why not."""
        match event:
            case StreamOpened(stream=stream) if stream % 2 == 0:
                return begin(event, ctx)
            case StreamOpened():
                return join(event, ctx)
            case StreamClosed():
                return end(event, ctx)
            case StreamData() | StreamWritable():
                return ()  # nothing is read here, and a status fits every window

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Give up a session for which no stream has come."""
        return sessions.expire(event.key, ctx)


def begin(event: StreamOpened, ctx: Context[Config]) -> Iterable[Effect]:
    """Open a stream to where this one is to go on."""
    try:
        opening = read_opening(event.opening)
    except ValueError as error:
        yield from tell_not(event.stream, Status("bad_opening", str(error)[:MAX_DETAIL]))
        return
    node = exit_of(opening, ctx)
    # One that takes the place of another goes where that went.
    site = site_of(opening, ctx) if opening.has is None else ""
    target = opening.to if not site else target_of(ctx.config.sites[site], where=site)
    is_told = opening.is_told or bool(site)
    name = b"" if site else opening.session or b""
    to: StreamTarget = target
    ahead = 0
    if node is not None:
        onward = Opening(target, node, is_told, session=name or None, has=opening.has)
        to = AtNode(node, write_opening(onward))
    elif opening.has is not None:
        yield from sessions.resume(event, name, opening.has, ctx)
        return
    else:
        ahead = ahead_of(target, ctx.config.ahead)
    found = Underway(spelled(target), node is None, is_told, session=name, peer=event.peer)
    underway(ctx).put(key(event.stream), found)
    yield OpenStream(event.stream | 1, to, deadline_s=ctx.config.open_s, ahead=ahead)
    if site:
        yield WriteStream(event.stream, write_status(OPEN))
        yield StartTls(event.stream, site)


def join(event: StreamOpened, ctx: Context[Config]) -> Iterable[Effect]:
    """Join the two, now that both are open."""
    stream = event.stream ^ 1
    found = underway(ctx).get(key(stream))
    if found is None:  # whoever wanted it is gone
        yield CloseStream(event.stream)
        return
    underway(ctx).delete(key(stream))
    if found.is_last and found.session and not sessions.is_known(found.session, ctx):
        yield from sessions.begin(
            Session(onward=event.stream, stream=stream, peer=found.peer), found.session, ctx
        )
        return
    if found.is_last and not found.is_told:
        yield WriteStream(stream, write_status(OPEN))
    yield SpliceStreams(stream, event.stream, idle_s=ctx.config.idle_s)


def end(event: StreamClosed, ctx: Context[Config]) -> Iterable[Effect]:
    """Say why there is no other end; or give that up when nobody waits for it any more."""
    if sessions.is_of_session(event.stream, ctx):
        yield from sessions.end(event, ctx)
        return
    stream = event.stream & ~1
    found = underway(ctx).get(key(stream))
    if found is None:
        if event.reason not in OVER:
            # It may have gone before the two were joined.
            yield CloseStream(event.stream ^ 1)
        return
    underway(ctx).delete(key(stream))
    if event.stream == stream:
        yield CloseStream(stream | 1)
    elif found.is_told:
        yield CloseStream(stream)
    else:
        yield from tell_not(stream, Status(event.reason, explained(event.reason, found, ctx)))


def exit_of(opening: Opening, ctx: Context[Config]) -> Address | None:
    """Return the node that goes on to the target; `None` is this one."""
    node = opening.exit
    if node is None and isinstance(opening.to, Legacy):
        node = chosen_exit(opening.to.host, ctx.config.exits)
    return None if node == ctx.node else node


def site_of(opening: Opening, ctx: Context[Config]) -> str:
    """Return the site whose TLS ends here; empty for none."""
    to = opening.to
    is_here = opening.exit in {None, ctx.node} and not opening.is_told
    if is_here and isinstance(to, Legacy) and (to.port, to.transport) == (HTTPS_PORT, "tcp"):
        name = to.host.lower().rstrip(".")
        return name if name in ctx.config.sites else ""
    return ""


def ahead_of(target: Legacy | AtHost, ahead: dict[str, int]) -> int:
    """Return how many connections are kept ready to a target."""
    return next((count for it, count in ahead.items() if target_of(it, where="") == target), 0)


def target_of(text: str, *, where: str) -> Legacy:
    """Return the target of a configuration.

    Raises:
        ValueError: It is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"{where}: {text!r} seen, HOST:PORT allowed, such as 192.0.2.7:80")
    return Legacy(host.removeprefix("[").removesuffix("]"), int(port))


def chosen_exit(host: str, exits: dict[str, str]) -> Address | None:
    """Return the exit whose name says most of the host's, `None` when none says any."""
    rest = host.lower().rstrip(".")
    while rest:
        if rest in exits:
            return Address(IPv6Address(exits[rest]).packed)
        rest = rest.partition(".")[2]
    return Address(IPv6Address(exits[ANYWHERE]).packed) if ANYWHERE in exits else None


def explained(reason: str, opening: Underway, ctx: Context[Config]) -> str:
    """Say it for people."""
    sentence = SENTENCES.get(reason, ENDED)
    if reason == "unreachable" and not opening.is_last:
        sentence = NO_WAY_TO_EXIT
    return sentence.format(
        target=opening.target, node=IPv6Address(ctx.node), s=ctx.config.open_s, reason=reason
    )


def spelled(target: Legacy | AtHost) -> str:
    """Write a target as people do."""
    if isinstance(target, AtHost):
        return f"[{IPv6Address(target.host)}]:{target.port}"
    return f"{target.host}:{target.port}" + ("/udp" if target.transport == "udp" else "")


def underway(ctx: Context[Config]) -> Table[Underway]:
    """Return the openings that have no answer yet, by stream."""
    return Table(ctx.ephemeral, "underway", Underway)


def key(stream: int) -> bytes:
    """Return the key of a stream in a table."""
    return stream.to_bytes(8, "big")


SERVICE = Termination
