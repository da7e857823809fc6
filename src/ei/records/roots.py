"""Roots of trust: which key speaks for which domain, from configuration and from governance.

What a configuration pins is the operator's own word and needs no list; for every other domain the
newest list of governance counts, until it or the domain's place in it expires.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ei.records.lists import DomainList, ListedDomain


@dataclass(frozen=True, slots=True)
class Roots:
    """Who speaks for domains.

    Attributes:
        keys: Domain name to Ed25519 key.
        numbers: Domain name to the number that governance gave it.
        reasons: Domain name to why it is listed, and yet not trusted now.
        operators: Domain name to who runs it, by governance, where that is not the domain itself;
            of a list that has expired as well: no company becomes another by the lapse of time.
    """

    keys: Mapping[str, bytes]
    numbers: Mapping[str, int] = field(default_factory=dict[str, int])
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    operators: Mapping[str, str] = field(default_factory=dict[str, str])


def find_roots(pinned: Mapping[str, bytes], listed: DomainList | None, *, unix_s: float) -> Roots:
    """Return who speaks for which domain at `unix_s`.

    Args:
        pinned: Domain name to key, from configuration; counts before the list.
        listed: The newest list of governance.
    """
    if listed is None:
        return Roots(pinned)
    keys: dict[str, bytes] = {}
    reasons: dict[str, str] = {}
    for domain in listed.domains:
        reason = _why_expired(listed, domain, unix_s)
        if reason is None:
            keys[domain.name] = domain.key
        elif domain.name not in pinned:
            reasons[domain.name] = reason
    numbers = {domain.name: domain.number for domain in listed.domains}
    operators = {domain.name: domain.operator for domain in listed.domains if domain.operator}
    return Roots({**keys, **pinned}, numbers, reasons, operators)


def _why_expired(listed: DomainList, domain: ListedDomain, unix_s: float) -> str | None:
    if listed.expires_unix_s <= unix_s:
        ago_s = unix_s - listed.expires_unix_s
        return f"domain list {listed.number} expired {ago_s:.0f} s ago, and no newer one came"
    if domain.expires_unix_s <= unix_s:
        ago_s = unix_s - domain.expires_unix_s
        return f"its place in domain list {listed.number} expired {ago_s:.0f} s ago"
    return None
