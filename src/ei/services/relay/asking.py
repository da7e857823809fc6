"""Which keys an issuer signs tokens by: asked from node to node, and stated by the issuer itself.

    exit ── AskKeys ──▶ node ── AskKeys ──▶ issuer
         ◀─ IssuerKeys ──── ◀─ IssuerKeys ──          signed, so whoever carries it changes nothing

An exit asks the issuer and no host: what it has heard is what all hosts should have been told.
"""

from collections.abc import Iterator
from itertools import islice

import msgspec

from ei.sdk import (
    NOWHERE,
    Address,
    Connection,
    Context,
    Count,
    Effect,
    NodeStatement,
    OwnStatement,
    Packet,
    Query,
    Resolve,
    RouteTo,
    SendControl,
    SetTimer,
    Table,
    towards,
)
from ei.services.relay import issuing
from ei.services.relay.config import Config
from ei.services.relay.forwarding import RELAY
from ei.services.relay.messages import (
    MAX_KEYS,
    AskKeys,
    IssuerKeys,
    Validity,
    read_keys,
    write_keys,
)
from ei.services.relay.tokens import key_id

ADDRESS_BYTES = 16
PREFIX, DOMAIN_BYTES = bytes.fromhex("fd35"), 4
MOST_AT_ONCE = 256
MOST_TOLD = 1_000
"""Of those who asked for the same; others ask again."""
MOST_GOOD = MAX_KEYS + 1
"""Keys of an issuer that are good here at once: one more, as clocks differ."""
LATE_S = 3_600.0
"""After its end a key is known for so long, to say what is wrong with its tokens."""
LONGEST_S = 15 * 24 * 3_600.0
"""No key is believed to be good for longer: what was spent is kept as long."""


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What an issuer has stated, and when (monotonic)."""

    keys: tuple[Validity, ...]
    heard_s: float

    def find(self, name: bytes) -> Validity | None:
        """Return the key of a name."""
        return next((each for each in self.keys if key_id(each.key) == name), None)


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """A question that waits for its answer.

    Attributes:
        hops: That it may still go on.
        is_sent: It has.
    """

    hops: int
    is_sent: bool = False


def known_of(issuer: Address, ctx: Context[Config]) -> Known | None:
    """Return what an issuer has stated; `None`: nothing that is remembered."""
    return _known(ctx).get(issuer)


def may_ask(issuer: Address, ctx: Context[Config]) -> bool:
    """Return whether it is time to ask an issuer, again or for the first time."""
    known = known_of(issuer, ctx)
    return known is None or ctx.now_s - known.heard_s >= ctx.config.ask_again_s


def ask(issuer: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Ask for the keys of an issuer; who waits for them is told by `hear`."""
    yield from take_question(AskKeys(issuer), ctx.node, ctx)


def take_question(asked: AskKeys, asker: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Answer, or ask on, and remember who is to be told."""
    most, by_asker = ctx.config.asks_per_peer, Table(ctx.ephemeral, "asking", int)
    if sum(1 for _ in islice(by_asker.scan(asker), most)) >= most:
        yield Count("too_many_asks")
        return
    by_asker.put(asker + asked.issuer, 1, ttl_s=ctx.config.ask_s)
    _asks(ctx).put(asked.issuer + asker, Ask(asked.hops), ttl_s=ctx.config.ask_s)
    yield from go_on(asked.issuer, ctx)


def go_on(issuer: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Do what is next for those who ask for the keys of an issuer."""
    if issuer == ctx.node:
        yield from _state(ctx)
        return
    found = islice(_asks(ctx).scan(issuer), MOST_TOLD)
    asks = {Address(key[ADDRESS_BYTES:]): ask for key, ask in found}
    left = [(ask.hops, asker) for asker, ask in asks.items() if not ask.is_sent]
    if not left:
        return
    # The fewest hops, so that a question that goes round comes to its end.
    hops, asker = min(left)
    came = Packet(RELAY, asker, asker if asker == ctx.node else NOWHERE, Connection(0))
    ways = towards((issuer,), came, ctx)
    if not isinstance(ways, tuple):
        yield Resolve(ways)
        return
    for _, each in left:
        _asks(ctx).put(issuer + each, Ask(hops, is_sent=True), ttl_s=ctx.config.ask_s)
    if ways and ways[0].is_up and hops > 0:
        yield SendControl(AskKeys(issuer, hops - 1), to=ways[0].hop)


def go_on_after(query: Query, ctx: Context[Config]) -> Iterator[Effect]:
    """Go on with the questions that an answer of the directory may be for."""
    if isinstance(query, OwnStatement):
        yield from go_on(ctx.node, ctx)
    elif isinstance(query, RouteTo):
        of_domain = PREFIX + query.domain.to_bytes(DOMAIN_BYTES, "big")
        issuers = {key[:ADDRESS_BYTES]: None for key, _ in _asks(ctx).scan(of_domain)}
        for issuer in islice(issuers, MOST_AT_ONCE):
            if issuer != ctx.node:
                yield from go_on(Address(issuer), ctx)


def hear(stated: IssuerKeys, ctx: Context[Config]) -> Iterator[Effect]:
    """Pass on what an issuer has stated to who asked, and learn it if this node did."""
    found = islice(_asks(ctx).scan(stated.issuer), MOST_TOLD)
    askers = [Address(key[ADDRESS_BYTES:]) for key, _ in found]
    keys = _believed(stated, ctx) if askers else None
    if keys is None:
        yield Count("bad_statement", 1 if askers else 0)
        return
    for asker in askers:
        _forget(stated.issuer, asker, ctx)
        if asker == ctx.node:
            _learn(stated.issuer, keys, ctx)
        elif asker in ctx.peers:
            yield SendControl(stated, to=asker)


def _state(ctx: Context[Config]) -> Iterator[Effect]:
    """Tell who asks for the keys of this node, as soon as there are some and they are signed."""
    yield from issuing.want_key(ctx)
    keys = issuing.keys_to_state(ctx)
    if not keys:
        return  # until one is made
    query = OwnStatement(write_keys(keys))
    record = ctx.records.get(query)
    if not isinstance(record, NodeStatement):
        yield Resolve(query)
        return
    stated = IssuerKeys(ctx.node, record.body, record.identity_key, record.signature)
    asked = [key for key, _ in islice(_asks(ctx).scan(ctx.node), MOST_AT_ONCE + 1)]
    for asker in (Address(key[ADDRESS_BYTES:]) for key in asked[:MOST_AT_ONCE]):
        _forget(ctx.node, asker, ctx)
        if asker in ctx.peers:
            yield SendControl(stated, to=asker)
    if len(asked) > MOST_AT_ONCE:
        yield SetTimer(issuing.KEY, 0.0)


def _believed(stated: IssuerKeys, ctx: Context[Config]) -> tuple[Validity, ...] | None:
    """Return the keys that an issuer has stated, `None` when it has not, or nothing sensible."""
    said = NodeStatement(stated.issuer, RELAY, stated.body, stated.identity_key, stated.signature)
    if not said.is_true():
        return None
    try:
        keys = read_keys(stated.body)
    except ValueError:
        return None
    until_unix_s = ctx.unix_s + LONGEST_S
    is_sensible = all(ctx.unix_s < each.end_unix_s <= until_unix_s for each in keys)
    return keys if is_sensible else None


def _learn(issuer: Address, keys: tuple[Validity, ...], ctx: Context[Config]) -> None:
    """Remember keys, and those before until some time after their end.

    An issuer that tells of more keys than can be good at once could mark hosts by them: what it
    says then is not learned, and its hosts see that.
    """
    before = known_of(issuer, ctx)
    older = () if before is None else tuple(each for each in before.keys if each not in keys)
    good = [each for each in (*keys, *older) if each.end_unix_s > ctx.unix_s]
    if len(good) > MOST_GOOD:
        keys, older = () if before is None else before.keys, ()
    longest_s = max((each.end_unix_s for each in keys), default=ctx.unix_s) - ctx.unix_s
    known = Known((*keys, *older)[: 2 * MAX_KEYS], ctx.now_s)
    _known(ctx).put(issuer, known, ttl_s=longest_s + LATE_S)


def _forget(issuer: Address, asker: Address, ctx: Context[Config]) -> None:
    _asks(ctx).delete(issuer + asker)
    Table(ctx.ephemeral, "asking", int).delete(asker + issuer)


def _known(ctx: Context[Config]) -> Table[Known]:
    return Table(ctx.ephemeral, "known", Known)


def _asks(ctx: Context[Config]) -> Table[Ask]:
    """Return who asks for whose keys: issuer, then asker."""
    return Table(ctx.ephemeral, "asks", Ask)
