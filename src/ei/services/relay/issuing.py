"""The issuer: signs tokens for hosts of this node, without seeing which.

    key 1   signs ──────── is good ────────
    key 2                  signs ──────── is good ────────

A key is made when one is asked for and the last is too old, in two events: a prime takes long. Its
secret is in the stable store, and goes with it when the last token of it is good no more. All hosts
get the same keys, in what this node signs: by a key of its own a host could be known again.
"""

from collections.abc import Iterator
from math import inf

import msgspec

from ei.sdk import Address, Context, Count, Effect, SendControl, SetTimer, Table
from ei.services.relay.config import Config
from ei.services.relay.messages import Sign, Signed, Validity
from ei.services.relay.tokens import TokenError, key_id, key_of, make_prime, sign

KEY = b"k"
"""Of the timer by which a key is made."""

NUMBER_BYTES = 8
HOUR_S = 3_600


class IssuerKey(msgspec.Struct, frozen=True, array_like=True):
    """A key of this node's.

    Attributes:
        secret: Its two primes.
        key: As hosts and exits have it.
        signs_until_unix_s, end_unix_s: When the next one signs, and when no token of it is good.
    """

    secret: bytes
    key: bytes
    signs_until_unix_s: float
    end_unix_s: float


def keys_to_state(ctx: Context[Config]) -> tuple[Validity, ...]:
    """Return the keys that are good, the newest first; none while the first is being made."""
    return tuple(Validity(each.key, int(each.end_unix_s)) for each in _keys(ctx))


def want_key(ctx: Context[Config]) -> Iterator[Effect]:
    """Have a key made, if none signs any more and none is being made."""
    newest = next(iter(_keys(ctx)), None)
    signs_until_unix_s = -inf if newest is None else newest.signs_until_unix_s
    if ctx.unix_s >= signs_until_unix_s and _making(ctx).get(b"") is None:
        _making(ctx).put(b"", b"", ttl_s=ctx.config.ask_s)
        yield SetTimer(KEY, 0.0)


def make_key(ctx: Context[Config]) -> Iterator[Effect]:
    """Make the next prime of a key, and the key when there are two of them."""
    making = _making(ctx)
    first = making.get(b"")
    if first is None:
        return
    prime = make_prime(ctx.random)
    if not first:
        making.put(b"", prime, ttl_s=ctx.config.ask_s)
        yield SetTimer(KEY, 0.0)
        return
    secret = first + prime
    key, known = key_of(secret), _keys(ctx)
    if any(key_id(each.key)[-1] == key_id(key)[-1] for each in known):
        # A request names a key by this byte alone.
        making.put(b"", b"", ttl_s=ctx.config.ask_s)
        yield SetTimer(KEY, 0.0)
        return
    making.delete(b"")
    period_s, now_s = ctx.config.key_s, ctx.unix_s
    made = IssuerKey(secret, key, now_s + period_s, now_s + 2 * period_s)
    number = int.from_bytes(_numbers(ctx).get(b"") or b"", "big") + 1
    _numbers(ctx).put(b"", number.to_bytes(NUMBER_BYTES, "big"))
    _table(ctx).put(number.to_bytes(NUMBER_BYTES, "big"), made, ttl_s=2 * period_s)


def answer(asked: Sign, host: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Sign what a host has blinded, as many an hour as it may have."""
    yield from want_key(ctx)
    used, hour = Table(ctx.ephemeral, "quota", int), int(ctx.unix_s // HOUR_S)
    key = host + hour.to_bytes(NUMBER_BYTES, "big")
    signed = (used.get(key) or 0) + len(asked.requests)
    if signed > ctx.config.tokens_per_hour:
        yield Count("quota")
        yield SendControl(Signed(asked.number, word="quota"), to=host)
        return
    used.put(key, signed, ttl_s=HOUR_S)
    try:
        answers = tuple(_sign(request, ctx) for request in asked.requests)
    except TokenError as error:
        yield SendControl(Signed(asked.number, word=error.word), to=host)
        return
    yield Count("signed", len(answers))
    yield SendControl(Signed(asked.number, answers), to=host)


def _sign(request: bytes, ctx: Context[Config]) -> bytes:
    """Sign by the key that the request names.

    Raises:
        TokenError: There is none, or it is no request.
    """
    refused = TokenError("no_key", "this node has no key to sign by")
    for each in _keys(ctx):
        try:
            return sign(each.secret, request, ctx.random)
        except TokenError as error:
            refused = error
            if error.word != "other_key":
                break
    raise refused


def _keys(ctx: Context[Config]) -> list[IssuerKey]:
    """Return the keys that are good, the newest first."""
    found = [key for _, key in _table(ctx).scan() if key.end_unix_s > ctx.unix_s]
    return found[::-1][:2]


def _table(ctx: Context[Config]) -> Table[IssuerKey]:
    return Table(ctx.stable, "keys", IssuerKey)


def _numbers(ctx: Context[Config]) -> Table[bytes]:
    """Return how many keys there were."""
    return Table(ctx.stable, "key", bytes)


def _making(ctx: Context[Config]) -> Table[bytes]:
    """Return the first prime of a key that is being made; empty before there is one."""
    return Table(ctx.ephemeral, "making", bytes)
