"""Governance: so many of a set of keys say which domains there are.

It begins with a set that the reader's configuration names. Each list carries the set that must sign
the next one, so the set changes only by the word of the set before; a reader that was away follows
the lists in the order of their numbers, as far as they changed the set.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ei.records.addresses import KEY_BYTES, MAX_DOMAIN_NUMBER
from ei.records.lists import DomainList, SignedList

LABEL = "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
DOMAIN_NAME = re.compile(rf"{LABEL}(\.{LABEL}){{0,3}}")
MAX_KEYS = 32
MAX_DOMAINS = 10_000
MAX_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Governance:
    """Who governs: `threshold` of these Ed25519 keys together."""

    keys: frozenset[bytes]
    threshold: int


@dataclass(frozen=True, slots=True)
class Followed:
    """What governance says.

    Attributes:
        governance: Who must sign the next list.
        newest: The list that counts; `None` when none verifies.
        needed: It, and before it the lists that changed the set: all that a reader must keep.
        refused: (list in words, reason) of lists that do not count.
    """

    governance: Governance
    newest: DomainList | None = None
    needed: tuple[SignedList[DomainList], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def follow_lists(
    governance: Governance,
    lists: Iterable[SignedList[DomainList]],
    *,
    known: Sequence[SignedList[DomainList]] = (),
) -> Followed:
    """Follow lists from the configured set to the newest list.

    Args:
        governance: The set that the configuration names.
        lists: In any order.
        known: `needed` of an earlier time. No older list counts again, whoever signed it.
    """
    accepted: list[SignedList[DomainList]] = []
    current = governance
    for signed in known:  # in their order; those of another governance fall away
        if _reason_against(signed, current, accepted) is None:
            accepted.append(signed)
            current = _following(signed.body)
    floor = accepted[-1].body.number if accepted else 0
    refused: list[tuple[str, str]] = []
    newest_seen = 0
    for signed in sorted(lists, key=lambda each: each.body.number):
        body = signed.body
        newest_seen = max(newest_seen, body.number)
        if body.number < floor or (accepted and accepted[-1].body == body):
            continue
        reason = _reason_against(signed, current, accepted)
        if reason is not None:
            refused.append((f"domain list {body.number}", reason))
            continue
        accepted.append(signed)
        current = _following(body)
    if 0 < newest_seen < floor:
        reason = f"older than list {floor}, which was seen before (rollback)"
        refused.append((f"domain list {newest_seen}", reason))
    return Followed(
        governance=current,
        newest=accepted[-1].body if accepted else None,
        needed=_needed(governance, accepted),
        refused=tuple(refused),
    )


def why_malformed(body: DomainList) -> str | None:
    """Return what a list may not say, whoever signs it; `None` when all is well."""
    faults = (
        _faults_of_set(body),
        _faults_of_domains(body),
        _faults_of_operators(body),
        _repeated(body),
    )
    return next(chain(*faults), None)


def _faults_of_set(body: DomainList) -> Iterator[str]:
    if not 1 <= body.number <= MAX_NUMBER:
        yield f"its number {body.number} is not 1 to {MAX_NUMBER}"
    if not 1 <= len(body.keys) <= MAX_KEYS:
        yield f"it has {len(body.keys)} governance keys, allowed are 1 to {MAX_KEYS}"
    if not 1 <= body.threshold <= len(body.keys):
        yield f"its threshold {body.threshold} is not 1 to {len(body.keys)}"


def _faults_of_domains(body: DomainList) -> Iterator[str]:
    if len(body.domains) > MAX_DOMAINS:
        yield f"it has {len(body.domains)} domains, allowed are {MAX_DOMAINS}"
    for domain in body.domains:
        if DOMAIN_NAME.fullmatch(domain.name) is None:
            yield f"{domain.name!r} is not the name of a domain"
        if domain.operator and DOMAIN_NAME.fullmatch(domain.operator) is None:
            yield f"{domain.operator!r}, operator of {domain.name}, is not such a name"
        if not 1 <= domain.number <= MAX_DOMAIN_NUMBER:
            yield f"the number {domain.number} of {domain.name} is not 1 to {MAX_DOMAIN_NUMBER}"


def _faults_of_operators(body: DomainList) -> Iterator[str]:
    """A domain's own name means its operator where none is given: it may not mean another, too."""
    operators = {domain.name: domain.operator or domain.name for domain in body.domains}
    for domain in body.domains:
        operator = operators[domain.name]
        if (others := operators.get(operator, operator)) != operator:
            yield f"{operator}, operator of {domain.name}, is a domain that is run by {others}"


def _repeated(body: DomainList) -> Iterator[str]:
    keys = [*body.keys, *(domain.key for domain in body.domains)]
    if any(len(key) != KEY_BYTES for key in keys):
        yield f"a key of it has not {KEY_BYTES} bytes"
    if len(set(keys)) != len(keys):
        yield "it gives one key twice"
    if len({domain.name for domain in body.domains}) != len(body.domains):
        yield "it gives one name twice"
    if len({domain.number for domain in body.domains}) != len(body.domains):
        yield "it gives one number twice"


def _reason_against(
    signed: SignedList[DomainList], current: Governance, accepted: Sequence[SignedList[DomainList]]
) -> str | None:
    body = signed.body
    count = len(signed.signers & current.keys)
    if count < current.threshold:
        return (
            f"signed by {count} of the {len(current.keys)} governance keys,"
            f" needed are {current.threshold}"
        )
    if accepted and body.number <= accepted[-1].body.number:
        return f"number {body.number} is not above {accepted[-1].body.number}"
    return why_malformed(body)


def _following(body: DomainList) -> Governance:
    return Governance(frozenset(body.keys), body.threshold)


def _needed(
    governance: Governance, accepted: Sequence[SignedList[DomainList]]
) -> tuple[SignedList[DomainList], ...]:
    needed: list[SignedList[DomainList]] = []
    current = governance
    for signed in accepted:
        following = _following(signed.body)
        if following != current or signed is accepted[-1]:
            needed.append(signed)
        current = following
    return tuple(needed)
