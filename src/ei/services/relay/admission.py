"""Who may have streams at an exit: who comes from another operator's node, with a token.

A token is good once. That it is spent is in the stable store before its holder hears that it was
admitted (law 3), so not even a crash lets it in again. It is forgotten with the key that signed it.
What a circuit may do is remembered by its source, which is nobody's: in the ephemeral store.
"""

import hashlib
from ipaddress import IPv6Address

import msgspec

from ei.sdk import Address, Context, Query, Table, domain_number_of
from ei.services.relay import asking
from ei.services.relay.config import Config
from ei.services.relay.forwarding import why_no_relay, why_same_operator
from ei.services.relay.messages import MAX_DETAIL, OPEN, Admission, KeysOf, Status, grant_of_token
from ei.services.relay.tokens import Challenge, TokenError, check_token, key_id, read_token

CONTEXT_TAG = b"ei relay context 1"

SENTENCES = {
    "no_first_node": "node {node} carries streams for those alone who come by another node",
    "same_operator": "node {node} has the operator of the first node: it would know both ends",
    "unknown_operator": "node {node} does not know who operates the first node's domain",
    "unknown_issuer": "node {node} takes tokens of the first node, or another of its domain, alone",
    "no_keys": "node {node} was not told by node {issuer} which keys it signs tokens by",
    "unknown_key": "node {issuer} has not told node {node} of the key that signed the token",
    "old_key": "the key that signed the token is good no more",
    "token_spent": "the token was spent already",
    "too_many_tokens": "node {node} takes no more tokens now, or none of this key",
}


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """What a circuit may do for a token.

    Attributes:
        until_s: When it gets no more new streams (monotonic).
    """

    until_s: float


class Wait(msgspec.Struct, frozen=True):
    """Nothing can be said before something else is known.

    Attributes:
        query: To be asked of the directory; `None`: the issuer's keys are asked for.
        issuer: Whose keys.
    """

    query: Query | None = None
    issuer: Address = Address(b"")


Answer = Status | Wait


def challenge_of(issuer: Address, exit_node: Address, name: bytes) -> Challenge:
    """Return what a token of an issuer's key is to say, to be good at an exit.

    Args:
        name: Of the key, as `key_id` makes it.
    """
    context = hashlib.sha256(CONTEXT_TAG + name).digest()
    return Challenge(str(IPv6Address(issuer)), context, str(IPv6Address(exit_node)))


def no(
    word: str, ctx: Context[Config], *, issuer: Address | None = None, detail: str = ""
) -> Status:
    """Return a refusal that people understand."""
    if word in SENTENCES:
        detail = SENTENCES[word].format(
            node=IPv6Address(ctx.node), issuer="" if issuer is None else IPv6Address(issuer)
        )
    return Status(word, detail[:MAX_DETAIL])


def tell_keys(asked: KeysOf, peer: Address, ctx: Context[Config], *, is_last: bool) -> Answer:
    """Return which keys of an issuer are known here.

    Args:
        peer: The circuit's source.
        is_last: There is nothing to wait for any more.
    """
    if (answer := _issuer(asked.issuer, peer, ctx)) is not OPEN:
        return answer
    known = asking.known_of(asked.issuer, ctx)
    if known is not None and known.find(asked.key_id) is not None:
        is_last = True
    if not is_last and asking.may_ask(asked.issuer, ctx):
        return Wait(issuer=asked.issuer)
    if known is None:
        return no("no_keys", ctx, issuer=asked.issuer)
    return Status("", keys=tuple(key_id(each.key) for each in known.keys))


def admit(asked: Admission, peer: Address, ctx: Context[Config], *, is_last: bool) -> Answer:
    """Take a token, and return what comes of it.

    Args:
        peer: The circuit's source.
        is_last: There is nothing to wait for any more.
    """
    if (found := _operators(peer, ctx)) is not OPEN:
        return found
    if ctx.config.admission == "open":
        return grant(peer, asked.token, ctx)
    if (answer := _issuer(asked.issuer, peer, ctx)) is not OPEN:
        return answer
    try:
        answer = _spend(asked, ctx, is_last=is_last)
    except TokenError as error:
        return no(error.word, ctx, issuer=asked.issuer, detail=str(error))
    return grant(peer, asked.token, ctx) if answer is OPEN else answer


def grant(peer: Address, token: bytes, ctx: Context[Config]) -> Status:
    """Let a circuit have streams for a while, and return what to say of it."""
    name, lasts_s = grant_of_token(token), ctx.config.token_s
    # What is over is remembered for a while, to be told from what never was.
    _grants(ctx).put(peer + name, Grant(ctx.now_s + lasts_s), ttl_s=2 * lasts_s)
    return Status("", lasts_s=int(lasts_s))


def grant_of(peer: Address, name: bytes, ctx: Context[Config]) -> Grant | None:
    """Return what a circuit may do; `None`: no such token was shown, as far as is remembered."""
    return _grants(ctx).get(peer + name)


def _operators(peer: Address, ctx: Context[Config]) -> Answer:
    """Return whether a circuit comes from a node of another operator."""
    if peer in ctx.peers:
        return no("no_first_node", ctx)
    return _answer(why_same_operator(domain_number_of(peer), ctx), ctx)


def _issuer(issuer: Address, peer: Address, ctx: Context[Config]) -> Answer:
    """Return whether it is a node of the circuit's domain: hosts would sign without an end."""
    if domain_number_of(issuer) != domain_number_of(peer):
        return no("unknown_issuer", ctx)
    found = why_no_relay(issuer, ctx)
    return _answer("unknown_issuer" if isinstance(found, str) else found, ctx)


def _answer(found: Query | str | None, ctx: Context[Config]) -> Answer:
    if found is None:
        return OPEN
    return no(found, ctx) if isinstance(found, str) else Wait(found)


def _spend(asked: Admission, ctx: Context[Config], *, is_last: bool) -> Answer:
    """Spend a token, unless something is wrong with it.

    Raises:
        TokenError: Something is.
    """
    token = read_token(asked.token)
    known = asking.known_of(asked.issuer, ctx)
    key = None if known is None else known.find(token.key_id)
    if key is None:
        if not is_last and asking.may_ask(asked.issuer, ctx):
            return Wait(issuer=asked.issuer)
        return no("no_keys" if known is None else "unknown_key", ctx, issuer=asked.issuer)
    left_s = key.end_unix_s - ctx.unix_s
    if left_s <= 0:
        return no("old_key", ctx)
    check_token(token, key.key, challenge_of(asked.issuer, ctx.node, token.key_id))
    spent, counts = Table(ctx.stable, "spent", int), Table(ctx.stable, "tokens", int)
    if spent.get(token.key_id + token.nonce) is not None:
        return no("token_spent", ctx)
    count = counts.get(token.key_id) or 0
    is_full = sum(each for _, each in counts.scan()) >= ctx.config.tokens
    if is_full or count >= ctx.config.tokens_per_key:
        return no("too_many_tokens", ctx)
    counts.put(token.key_id, count + 1, ttl_s=left_s + asking.LATE_S)
    # For longer than the key is good: this node's clock may be set back.
    spent.put(token.key_id + token.nonce, 1, ttl_s=left_s + asking.LATE_S)
    return OPEN


def _grants(ctx: Context[Config]) -> Table[Grant]:
    return Table(ctx.ephemeral, "grants", Grant)
