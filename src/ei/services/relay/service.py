"""Relay: a host's streams to the legacy Internet go on from a node of another operator.

    host ── first node ── others ── exit ── server
     └══════ QUIC, a circuit ════════┘

The first node knows the host and not what for; the exit knows what for and not who; as long as they
do not tell each other, nobody knows both. The host's streams are in one QUIC connection with the
exit, whose keys no other node has, under a key of the host's that is made for it. A host refuses
two nodes of one operator, and so do both nodes.

To the nodes before it, a circuit is packets (`forwarding.py`): what they learn, the decision cache
keeps, so that native code forwards. At the exit its streams end (`carrying.py`). Exits carry them
for tokens (`admission.py`), that the host had signed by its own node (`issuing.py`), which cannot
recognise them; which keys that node has, the exit hears from it alone (`asking.py`).
"""

from collections.abc import Iterable, Iterator

from ei.sdk import (
    Address,
    Context,
    ControlArrived,
    Effect,
    PacketArrived,
    PeerChanged,
    Resolved,
    Service,
    StreamClosed,
    StreamData,
    StreamEvent,
    StreamOpened,
    StreamWritable,
    TimerFired,
    refuse,
)
from ei.services.relay import asking, carrying, issuing
from ei.services.relay.carrying import GOING_ON, WAITING
from ei.services.relay.config import Config
from ei.services.relay.forwarding import (
    BACK,
    CIRCUIT,
    LOST,
    come_back,
    expire,
    go_there,
    hear_end,
    lose,
)
from ei.services.relay.issuing import KEY
from ei.services.relay.messages import AskKeys, Ended, IssuerKeys, Sign, Signed

ADDRESS_BYTES = 16

MESSAGES = AskKeys | IssuerKeys | Sign | Signed | Ended


class Relay(Service[Config]):
    """Carries circuits, ends them, and signs the tokens for them."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Send on what belongs to a circuit."""
        packet = event.packet
        if len(packet.metadata) == ADDRESS_BYTES:
            return go_there(packet, ctx)
        if packet.metadata == BACK:
            return come_back(packet, ctx)
        return refuse(packet, "bad_exit", ttl_s=ctx.config.refusal_s)

    def on_stream(self, event: StreamEvent, ctx: Context[Config]) -> Iterable[Effect]:
        """Carry the streams of a circuit that ends here."""
        match event:
            case StreamOpened(stream=stream) if stream % 2 == 0:
                return carrying.begin(event, ctx)
            case StreamOpened():
                return carrying.join(event, ctx)
            case StreamClosed():
                return carrying.end(event, ctx)
            case StreamData() | StreamWritable():
                return ()  # nothing is read here, and a status fits every window

    def on_control(self, event: ControlArrived, ctx: Context[Config]) -> Iterable[Effect]:
        """Sign, tell the keys for that, and hear of what has ended."""
        match event.message:
            case Sign() as asked:
                return issuing.answer(asked, event.sender, ctx)
            case AskKeys() as asked:
                return asking.take_question(asked, event.sender, ctx)
            case IssuerKeys() as stated:
                return hear_keys(stated, ctx)
            case Ended() as ended:
                return hear_end(ended, event.sender, ctx)
            case _:
                return ()  # answers to hosts

    def on_timer(self, event: TimerFired, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with what is due."""
        kind, key = event.key[:1], event.key[1:]
        if kind == CIRCUIT:
            return expire(key, ctx)
        if kind == LOST:
            return lose(Address(key), ctx)
        if kind == WAITING:
            return carrying.give_up(key, ctx)
        if kind == GOING_ON:
            return carrying.go_on(key, ctx)
        return make_key(ctx) if kind == KEY else ()

    def on_peer(self, event: PeerChanged, ctx: Context[Config]) -> Iterable[Effect]:
        """End the circuits by a peer that is gone."""
        return () if event.is_up else lose(event.peer, ctx)

    def on_resolved(self, event: Resolved, ctx: Context[Config]) -> Iterable[Effect]:
        """Go on with what waited for an answer."""
        yield from asking.go_on_after(event.query, ctx)
        yield from carrying.go_on_after(event.query, ctx)


def hear_keys(stated: IssuerKeys, ctx: Context[Config]) -> Iterator[Effect]:
    """Take what an issuer states, and go on with who waits for it here."""
    yield from asking.hear(stated, ctx)
    yield from carrying.go_on_after(stated.issuer, ctx)


def make_key(ctx: Context[Config]) -> Iterator[Effect]:
    """Make a key, and tell those who ask for it."""
    yield from issuing.make_key(ctx)
    yield from asking.go_on(ctx.node, ctx)


SERVICE = Relay
