"""What of a node's or host's standing ends soon, and the command that renews it."""

from collections.abc import Iterable, Iterator

import msgspec

from ei.records.addresses import domain_number_of
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

DAY_S = 86_400
WARN_DAYS = (1, 7, 30)
REPEAT_S = DAY_S


class Expiring(msgspec.Struct, frozen=True):
    """One statement that ends within 30 days, or has ended.

    Attributes:
        what: In words, such as `the record of sn1.isp-a`.
        renew: The command.
    """

    what: str
    expires_unix_s: int
    renew: str


def find_expiring(
    records: RecordSet, *, name: str, address: Address, unix_s: float
) -> tuple[Expiring, ...]:
    """Return what ends within 30 days of all that a node or host stands on, the soonest first.

    Args:
        name, address: Of the node or host.
    """
    soon = [
        each
        for each in _standing(records, name, address)
        if warning_days(each, unix_s=unix_s) is not None
    ]
    return tuple(sorted(soon, key=lambda each: each.expires_unix_s))


def warning_days(expiring: Expiring, *, unix_s: float) -> int | None:
    """Return the smallest of 1, 7 and 30 days within which it ends; `None` when it lasts longer."""
    left_s = expiring.expires_unix_s - unix_s
    return next((days for days in WARN_DAYS if left_s <= days * DAY_S), None)


class ExpiryWarnings:
    """Says each thing once at 30, 7 and 1 days, and once a day in between."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[int | None, float]] = {}

    def due(self, expiring: Iterable[Expiring], *, unix_s: float) -> list[Expiring]:
        """Return what is to be said now."""
        due: list[Expiring] = []
        said: dict[str, tuple[int | None, float]] = {}
        for each in expiring:
            days = warning_days(each, unix_s=unix_s)
            before, at_s = self._said.get(each.what, (None, 0.0))
            # A clock that was set back says it again, rather than be silent for long.
            if before != days or not 0 <= unix_s - at_s < REPEAT_S:
                due.append(each)
                at_s = unix_s
            said[each.what] = (days, at_s)
        self._said = said
        return due


def _standing(records: RecordSet, name: str, address: Address) -> Iterator[Expiring]:
    own = records.nodes.get(address) or records.enrolments.get(address)
    if own is not None:
        yield Expiring(f"the record of {name}", own.expires_unix_s, f"ei domain renew {name}")
    attachment = records.attachments.get(address)
    if attachment is not None:
        yield Expiring(f"the attachment of {name}", attachment.expires_unix_s, "ei host attach")
    number = domain_number_of(address)
    domain = next((each for each in records.domains.values() if each.number == number), None)
    if domain is None:
        return
    yield Expiring(f"domain {domain.name}", domain.expires_unix_s, "ei domain renew")
    newest = None if records.governance is None else records.governance.newest
    if newest is not None:
        what = f"list {newest.number} of domains"
        yield Expiring(what, newest.expires_unix_s, "ei governance draft")
        for listed in newest.domains:
            if listed.name == domain.name and listed.expires_unix_s < newest.expires_unix_s:
                what = f"the place of {listed.name} in {what}"
                yield Expiring(what, listed.expires_unix_s, "ei governance draft")
