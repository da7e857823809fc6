"""What it takes to make another domain a neighbour: its key, checked, and its records."""

from collections.abc import Iterable
from dataclasses import dataclass

from ei.errors import ConfigError, IntegrityError, NotFoundError
from ei.records.envelope import open_record
from ei.records.kinds import DomainRecord
from ei.records.lists import is_list

MIN_DIGITS = 32
"""Hexadecimal digits of a fingerprint: 128 bits, which nobody can meet with a key of their own."""


@dataclass(frozen=True, slots=True)
class FoundDomain:
    """A domain as a record file has it: its own word, by its own key."""

    name: str
    number: int
    key: bytes


def find_domains(envelopes: Iterable[bytes]) -> list[FoundDomain]:
    """Return the domains that records speak of, each with the key that signed for it."""
    found: dict[FoundDomain, None] = {}
    for envelope in envelopes:
        if is_list(envelope):
            continue
        try:
            record, key = open_record(envelope)
        except IntegrityError:
            continue
        if isinstance(record, DomainRecord):
            found[FoundDomain(record.name, record.number, key)] = None
    return list(found)


def choose_domain(
    domains: Iterable[FoundDomain], *, fingerprint: str, own: str, name: str = ""
) -> FoundDomain:
    """Return the domain whose key has the fingerprint.

    Args:
        fingerprint: The first 32 or more hexadecimal digits of the key, as its domain says it.
        own: The node's own domain, which is no neighbour.
        name: Of the domain, where it is known.

    Raises:
        ConfigError: it is no fingerprint, or that of the own domain.
        IntegrityError: the domain is there with another key.
        NotFoundError: no domain, or none of that name.
    """
    digits = fingerprint.replace(":", "").lower()
    if len(digits) < MIN_DIGITS or not all(digit in "0123456789abcdef" for digit in digits):
        raise ConfigError(
            f"{fingerprint!r} is not a fingerprint: at least {MIN_DIGITS} hexadecimal digits",
            remedy="Its domain sees it as the key in: ei domain list",
        )
    meant = [each for each in domains if each.name != own and name in ("", each.name)]
    if not meant:
        raise NotFoundError(
            f"no record of {name or 'another domain'} is there",
            remedy="Give the file with its records: ei peer add records.eir --fingerprint ...",
        )
    for each in meant:
        if each.key.hex().startswith(digits):
            return each
    seen = "; ".join(f"{each.name} has {each.key.hex()}" for each in meant)
    raise IntegrityError(
        f"no key there begins with {digits}: {seen}",
        remedy="Ask the domain for its fingerprint over another way than the file came.",
    )
