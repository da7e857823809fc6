"""What a service has between two events, as a digest: two environments of one history agree on it.

It takes in all that the next event could tell apart: both stores, armed timers, held packets.
"""

from hashlib import sha256

import msgspec

from ei.runtime.holds import Holds
from ei.runtime.stores import TransactionalStore
from ei.runtime.timers import Timers


def digest_of(
    stable: TransactionalStore, ephemeral: TransactionalStore, timers: Timers, holds: Holds
) -> str:
    """Return the digest of a state: 64 hexadecimal digits."""
    kept = (
        list(stable.scan(b"")),
        list(ephemeral.scan(b"")),
        timers.armed(),
        [(held.query, held.event, held.deadline_s, held.times) for held in holds.waiting()],
    )
    return sha256(msgspec.msgpack.encode(kept)).hexdigest()
