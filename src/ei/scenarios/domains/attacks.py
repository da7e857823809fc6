"""What a domain could say of routes that is not so; each is refused for a reason of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from ei.records.keys import Keys
from ei.routing.announcements import Announcement, Signer, read_announcement
from ei.routing.messages import Update, write_message

LIFE_S = 1_800


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain, and the keys of a node of it: of the attacker's own, or what others have said."""

    number: int
    keys: Keys


def forged_origin(attacker: Domain, origin: Domain, to: int, *, unix_s: float) -> bytes:
    """The attacker says that the origin is its neighbour, in the origin's name."""
    hops = [(attacker.number, attacker.keys), (to, attacker.keys)]
    return _said(origin.number, hops, unix_s=unix_s)


def shortened_path(
    attacker: Domain, between: Domain, origin: Domain, to: int, *, unix_s: float
) -> bytes:
    """The attacker leaves out the domain that it has heard the origin from."""
    hops = [(between.number, origin.keys), (to, attacker.keys)]
    return _said(origin.number, hops, unix_s=unix_s)


def route_leak(
    attacker: Domain, provider: Domain, origin: Domain, to: int, *, unix_s: float
) -> bytes:
    """The attacker gives one provider the ways that it has of another one."""
    hops = [(provider.number, origin.keys), (attacker.number, provider.keys), (to, attacker.keys)]
    return _said(origin.number, hops, unix_s=unix_s)


def _said(origin: int, hops: Sequence[tuple[int, Keys]], *, unix_s: float) -> bytes:
    """Return a message that announces a path, each hop (next domain, keys that sign it)."""
    said = Announcement(
        origin=origin, sequence=int(unix_s * 1e6), expires_unix_s=int(unix_s) + LIFE_S
    )
    announced = b""
    for to, keys in hops:
        announced = Signer(keys).extend(said, said.digests()[-1], to=to)
        said = read_announcement(announced)
    return write_message(Update(0, has_more=True, announced=(announced,)))
