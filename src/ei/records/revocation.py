"""Revocation by key: each domain signs a numbered list of the keys in it that count no more.

A list is signed again every minute, with the next number, also when nothing was revoked: so that
one who withholds the newest is noticed. From a domain whose list has grown old nothing new begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ei.records.lists import RevocationList, SignedList

RESIGN_S = 60
REVOCATION_LIMIT_S = 15 * 60
MAX_REVOKED = 20_000
MAX_NUMBER = 2**53

Revocations = Mapping[str, SignedList[RevocationList]]
"""The newest list of each domain that has one."""


@dataclass(frozen=True, slots=True)
class Read:
    """What domains have revoked.

    Attributes:
        needed: The lists to remember: also of domains that nobody speaks for at the moment.
        refused: (list in words, reason) of lists that do not count.
    """

    revocations: Revocations
    needed: tuple[SignedList[RevocationList], ...]
    refused: tuple[tuple[str, str], ...]


def read_revocations(
    keys: Mapping[str, bytes],
    lists: Iterable[SignedList[RevocationList]],
    *,
    known: Sequence[SignedList[RevocationList]] = (),
) -> Read:
    """Return the newest list of each domain. Old age is no reason to forget what it revokes.

    Args:
        keys: Who speaks for which domain.
        lists: In any order.
        known: Those of an earlier time; no smaller number counts again.
    """
    newest = {each.body.domain: each for each in known if why_not(each, keys) is None}
    refused: list[tuple[str, str]] = []
    read: dict[str, SignedList[RevocationList]] = {}
    for signed in sorted(lists, key=lambda each: each.body.number):
        reason = why_not(signed, keys)
        if reason is None:
            read[signed.body.domain] = signed
        else:
            refused.append((f"revocations {signed.body.domain}", reason))
    for domain, signed in read.items():
        before = newest.setdefault(domain, signed).body
        if signed.body.number > before.number:
            newest[domain] = signed
        elif signed.body != before:
            reason = f"number {signed.body.number} is not above {before.number}, seen before"
            refused.append((f"revocations {domain}", f"{reason} (rollback)"))
    silent = [each for each in known if each.body.domain not in keys]
    return Read(newest, (*newest.values(), *silent), tuple(refused))


def why_not(signed: SignedList[RevocationList], keys: Mapping[str, bytes]) -> str | None:
    """Return why a list does not count, by itself; `None` when it does."""
    body = signed.body
    trusted = keys.get(body.domain)
    if trusted is None:
        return f"no key of domain {body.domain!r} is trusted here"
    if trusted not in signed.signers:
        return f"not signed by domain {body.domain}"
    if not 1 <= body.number <= MAX_NUMBER:
        return f"its number is not 1 to {MAX_NUMBER}"
    if len(body.keys) > MAX_REVOKED:
        return f"it revokes {len(body.keys)} keys, allowed are {MAX_REVOKED}"
    if list(body.keys) != sorted(set(body.keys)):
        return "its keys are not in order, each once"
    return None


def stale_domains(revocations: Revocations, *, unix_s: float, limit_s: float) -> dict[str, float]:
    """Return the domains whose list is older than `limit_s`, and its age in seconds.

    A list from the future, because a clock was set back, is new.
    """
    ages = {domain: unix_s - signed.body.signed_unix_s for domain, signed in revocations.items()}
    return {domain: age_s for domain, age_s in ages.items() if age_s > limit_s}


def next_list(
    before: RevocationList | None, *, domain: str, unix_s: float, revoke: Iterable[bytes] = ()
) -> RevocationList:
    """Return the list that follows `before`: signed now, and with further keys.

    Args:
        before: The newest of the domain; `None` begins at number 1.
    """
    number, keys = (0, ()) if before is None else (before.number, before.keys)
    return RevocationList(domain, number + 1, int(unix_s), tuple(sorted({*keys, *revoke})))
