"""Governance makes its next list: what follows the list that counts, and where it is published."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from ei.errors import ConfigError, IntegrityError
from ei.records.envelope import open_record
from ei.records.governance import Followed, Governance, follow_lists, why_malformed
from ei.records.kinds import DomainRecord
from ei.records.lists import DomainList, ListedDomain, SignedList, is_list, open_list
from ei.records.record_files import locked, read_records, write_records


def domains_in(envelopes: Iterable[bytes]) -> list[ListedDomain]:
    """Return the domains that state themselves in these envelopes, as they would be listed."""
    found: list[ListedDomain] = []
    for envelope in envelopes:
        if not is_list(envelope):
            record, signer = open_record(envelope)
            if isinstance(record, DomainRecord):
                found.append(
                    ListedDomain(record.name, record.number, signer, record.expires_unix_s)
                )
    return found


def next_domain_list(  # noqa: PLR0913 all that can change from list to list
    followed: Followed,
    *,
    add: Iterable[ListedDomain],
    remove: Iterable[str],
    operators: Mapping[str, str] | None = None,
    keys: tuple[bytes, ...],
    threshold: int | None,
    expires_unix_s: int,
) -> DomainList:
    """Return the list that follows what counts now.

    Args:
        add: A domain that is listed already is replaced, and keeps its operator.
        operators: Name of a listed domain to who runs it from now on; empty for the domain itself.
        keys, threshold: Of the set that signs the list after this one; as now when there are none.
        expires_unix_s: Of the list, and at the latest of each place in it.

    Raises:
        ConfigError: a domain to be removed is not listed, or nobody could believe the list.
    """
    before = followed.newest
    domains = {domain.name: domain for domain in (before.domains if before else ())}
    for domain in add:
        known = domains.get(domain.name)
        domains[domain.name] = replace(domain, operator=known.operator if known else "")
    for name in remove:
        if domains.pop(name, None) is None:
            raise ConfigError(f"no domain {name!r} is listed; listed are {', '.join(domains)}")
    for name, operator in (operators or {}).items():
        if name not in domains:
            raise ConfigError(f"no domain {name!r} is listed; listed are {', '.join(domains)}")
        domains[name] = replace(domains[name], operator="" if operator == name else operator)
    body = DomainList(
        1 if before is None else before.number + 1,
        expires_unix_s,
        keys or tuple(sorted(followed.governance.keys)),
        threshold or followed.governance.threshold,
        tuple(domains[name] for name in sorted(domains)),
    )
    if (reason := why_malformed(body)) is not None:
        raise ConfigError(f"nobody would believe this list: {reason}")
    return body


def read_draft(path: Path) -> SignedList[DomainList]:
    """Return the one list in a file, whoever has signed it so far.

    Raises:
        EiError: there is no file, or not one list in it.
    """
    lists = _lists_in(read_records(path))
    if len(lists) != 1:
        raise IntegrityError(
            f"{path} holds {len(lists)} lists of domains, a draft is 1",
            remedy="Write one: ei governance draft",
        )
    return lists[0]


def read_followed(governance: Governance, path: Path) -> Followed:
    """Return what governance says in a record file; nothing yet when there is no file.

    Raises:
        EiError: the file cannot be read.
    """
    return follow_lists(governance, _lists_in(read_records(path)) if path.exists() else [])


def publish(draft: SignedList[DomainList], governance: Governance, path: Path) -> None:
    """Put a signed list into a record file; of the older ones those that are needed stay.

    Raises:
        IntegrityError: it would not count, and why; the file is as before.
        EiError: the file cannot be read.
    """
    with locked(path):
        envelopes = read_records(path) if path.exists() else []
        lists = _lists_in(envelopes)
        followed = follow_lists(governance, [*lists, draft])
        if followed.newest != draft.body:
            name = f"domain list {draft.body.number}"
            why = next((reason for what, reason in followed.refused if what == name), "it is old")
            raise IntegrityError(f"{name} would not count: {why}")
        old = {signed.envelope for signed in lists}
        rest = [envelope for envelope in envelopes if envelope not in old]
        write_records(path, [*rest, *(signed.envelope for signed in followed.needed)])


def _lists_in(envelopes: Iterable[bytes]) -> list[SignedList[DomainList]]:
    lists: list[SignedList[DomainList]] = []
    for envelope in envelopes:
        if is_list(envelope):
            signed = open_list(envelope)
            if isinstance(signed.body, DomainList):
                lists.append(SignedList(signed.body, signed.signers, signed.envelope))
    return lists
