"""The keys of a target as a proxy was told them: the same for all its hosts.

Were each host's wish for keys passed on, a target could give each one a key of its own, and tell by
it which questions are of one host. It is passed on as the proxy's, once, and what came back is
given to all who ask while it counts. A host whose key the target does not know any more asks anew.
"""

from typing import Any

from ei.sdk import Address, Context, ServiceError, Table
from ei.services.odns.messages import KEYS, KEYS_WANTED, is_wanted_anew, read_keys


def is_wish(payload: bytes) -> bool:
    """Return whether a host wants keys."""
    return payload[:1] == bytes((KEYS_WANTED,))


def known(payload: bytes, target: Address, ctx: Context[Any]) -> bytes | None:
    """Return the keys for a host that wants some; `None` when the target has to be asked."""
    if not is_wish(payload) or is_wanted_anew(payload):
        return None
    return _told(ctx).get(target)


def shared(payload: bytes, target: Address, ctx: Context[Any], *, is_anew: bool) -> bytes:
    """Keep what a target has told, and return what its asker gets: what others have, if any.

    Args:
        target: Who was asked; without a length nobody was asked for keys.
        is_anew: What others have is of no use any more.
    """
    if not target or payload[:1] != bytes((KEYS,)):
        return payload
    kept = _told(ctx).get(target)
    if kept is not None and not is_anew:
        return kept
    try:
        left_s = read_keys(payload, node=target).expires_unix_s - ctx.unix_s
        if left_s > 0:
            # Hosts renew their keys at half of their time: there must be others by then.
            _told(ctx).put(target, payload, ttl_s=left_s / 2)
    except (ValueError, ServiceError):
        return payload  # the host sees for itself that these are no keys; else there is no room
    return payload


def _told(ctx: Context[Any]) -> Table[bytes]:
    return Table(ctx.ephemeral, "told", bytes)
