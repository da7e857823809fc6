"""The keys of a target: new ones each hour, and the ones before for as long as they were promised.

They are in the ephemeral store alone: a worker that starts anew has new ones, clients are told
`unknown_key`, and ask again with those. Nobody who takes the disk can open what was recorded.
"""

from collections.abc import Iterable

import msgspec

from ei.sdk import Context, Count, Effect, SetTimer, Table
from ei.sdk.hpke import derive_key
from ei.services.odns.config import Config
from ei.services.odns.messages import Keys
from ei.services.odns.odoh import KeyPair, configuration, write_configs

TIMER = b"keys"
SEED_BYTES = 32


class Pair(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A key of this target.

    Attributes:
        ends_s: Nothing sealed to it is opened from then on.
        statement: What is said of it, to be signed: msgpack of `Keys`.
    """

    key_id: bytes
    keys: KeyPair
    ends_s: float
    statement: bytes


def renew(ctx: Context[Config]) -> Iterable[Effect]:
    """Draw a new key, forget those whose time is over, and come back in time."""
    lifetime_s = ctx.config.keys_s + ctx.config.overlap_s
    keys = derive_key(ctx.random.randbytes(SEED_BYTES))
    config = configuration(keys[1])
    said = msgspec.msgpack.encode(Keys(int(ctx.unix_s + lifetime_s), write_configs((config,))))
    newest = Pair(config.key_id, keys, ctx.now_s + lifetime_s, said)
    older = [pair for pair in all_of(ctx) if pair.ends_s > ctx.now_s]
    _pairs(ctx).put(b"", (newest, *older))
    yield Count("keys_renewed")
    yield SetTimer(TIMER, ctx.config.keys_s)


def all_of(ctx: Context[Config]) -> tuple[Pair, ...]:
    """Return the keys, the newest first."""
    return _pairs(ctx).get(b"") or ()


def keys_of(key_id: bytes, ctx: Context[Config]) -> KeyPair | None:
    """Return the keys of this name, unless their time is over."""
    for pair in all_of(ctx):
        if pair.key_id == key_id and pair.ends_s > ctx.now_s:
            return pair.keys
    return None


def _pairs(ctx: Context[Config]) -> Table[tuple[Pair, ...]]:
    return Table(ctx.ephemeral, "keys", tuple[Pair, ...])
