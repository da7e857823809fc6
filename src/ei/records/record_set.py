"""A set of verified records: all that a node or host knows about the others, for now from one file.

`verify_records` keeps what is properly signed by somebody who may say so, and refuses the rest,
each with its reason. The order of the envelopes does not matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import assert_never

from ei.errors import IntegrityError, NotFoundError
from ei.records.addresses import format_address, parse_address
from ei.records.envelope import open_record
from ei.records.fields import Refused
from ei.records.governance import Followed, Governance, follow_lists
from ei.records.kinds import (
    MAX_ATTACHMENT_S,
    Absence,
    AnyRecord,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.lists import AnyList, DomainList, RevocationList, SignedList, is_list, open_list
from ei.records.revocation import Revocations, read_revocations
from ei.records.roots import Roots, find_roots
from ei.records.rules import Verifier, over
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one record does not count."""

    record: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Verified records, by what they are about.

    Attributes:
        domains, numbers: By name, and by number.
        enrolments, nodes, attachments, groups: By address.
        names: Full name to the address of a host, node or group.
        holders: First 16 bytes of a pipe key to the name of who has it.
        envelopes: Of enrolments and groups by address, as they were signed.
        attachment_envelopes: By host.
        roots: Who speaks for which domain.
        revoked: Domain name to the keys that count no more.
        governance: What governance says; `None` when none is configured.
        revocations: By domain name.
        lists: The envelopes to remember, as `known` of the next time.
        refused: What did not verify, at most 1_000 of them.
    """

    domains: Mapping[str, DomainRecord] = field(default_factory=dict[str, DomainRecord])
    enrolments: Mapping[Address, Enrolment] = field(default_factory=dict[Address, Enrolment])
    nodes: Mapping[Address, NodeRecord] = field(default_factory=dict[Address, NodeRecord])
    attachments: Mapping[Address, AttachmentRecord] = field(
        default_factory=dict[Address, AttachmentRecord]
    )
    groups: Mapping[Address, GroupRecord] = field(default_factory=dict[Address, GroupRecord])
    names: Mapping[str, Address] = field(default_factory=dict[str, Address])
    numbers: Mapping[int, DomainRecord] = field(default_factory=dict[int, DomainRecord])
    holders: Mapping[bytes, str] = field(default_factory=dict[bytes, str])
    envelopes: Mapping[Address, bytes] = field(default_factory=dict[Address, bytes])
    attachment_envelopes: Mapping[Address, bytes] = field(default_factory=dict[Address, bytes])
    roots: Roots = field(default_factory=lambda: Roots({}))
    revoked: Mapping[str, frozenset[bytes]] = field(default_factory=dict[str, frozenset[bytes]])
    governance: Followed | None = None
    revocations: Revocations = field(default_factory=dict[str, SignedList[RevocationList]])
    lists: tuple[bytes, ...] = ()
    refused: tuple[Refusal, ...] = ()

    def find(self, name: str) -> Address:
        """Return the address that `name` means: a full name, or an address as text.

        Raises:
            NotFoundError: no record has this name.
        """
        if name in self.names:
            return self.names[name]
        if ":" in name:
            return parse_address(name)
        near = get_close_matches(name, self.names, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; {len(self.names)} names are known"
        raise NotFoundError(f"no record of {name!r}{hint}")

    def identity_key_of(self, address: bytes) -> bytes | None:
        """Return the Ed25519 public key of a host or node; `None` when there is no record of it."""
        key = Address(address)
        record = self.enrolments.get(key) or self.nodes.get(key)
        return None if record is None else record.identity_key

    def name_of(self, address: bytes) -> str:
        """Return the preferred name of a host, node or group; the IPv6 form when it has none."""
        key = Address(address)
        if key in self.enrolments:
            return self.enrolments[key].names[0]
        if key in self.nodes:
            return self.nodes[key].name
        if key in self.groups:
            return self.groups[key].name
        return format_address(address)

    def why_refused(self, kind: str, subject: str | bytes) -> str:
        """Return why the record of a name or address does not count; empty when it was not refused.

        Args:
            kind: `enrolment`, `node`, `attachment`, ...
        """
        wanted = subject if isinstance(subject, str) else format_address(subject)
        reasons = (each.reason for each in self.refused if each.record == f"{kind} {wanted}")
        return next(reasons, "")


MAX_REFUSALS = 1_000


def verify_records(  # noqa: PLR0913 all that belief rests on
    envelopes: Iterable[bytes],
    *,
    trust: Mapping[str, bytes],
    unix_s: float,
    attachment_limit_s: int = MAX_ATTACHMENT_S,
    governance: Governance | None = None,
    known: Iterable[bytes] = (),
) -> RecordSet:
    """Return the set of those records that hold.

    Args:
        envelopes: In any order.
        trust: Domain name to its Ed25519 key, from configuration.
        unix_s: Records that have expired by then do not hold.
        attachment_limit_s: Longest time that an attachment may still have to live.
        governance: Who says which further domains there are.
        known: `lists` of an earlier set: no older list counts again.
    """
    opened, before = _open_all(envelopes), _open_all(known)
    refused = opened.refused
    followed = None
    if governance is not None:
        followed = follow_lists(governance, opened.domain_lists, known=before.domain_lists)
        refused += (Refusal(*each) for each in followed.refused)
    elif opened.domain_lists:
        refused.append(Refusal("domain list", "no governance is configured here"))
    newest = None if followed is None else followed.newest
    roots = find_roots(trust, newest, unix_s=unix_s)
    read = read_revocations(roots.keys, opened.revocations, known=before.revocations)
    refused += (Refusal(*each) for each in read.refused)
    revoked = {domain: frozenset(signed.body.keys) for domain, signed in read.revocations.items()}
    verifier = Verifier(
        roots=roots, unix_s=unix_s, attachment_limit_s=attachment_limit_s, revoked=revoked
    )
    base = RecordSet(
        roots=roots,
        revoked=revoked,
        governance=followed,
        revocations=read.revocations,
        lists=(
            *(signed.envelope for signed in (followed.needed if followed else ())),
            *(signed.envelope for signed in read.needed),
        ),
        refused=tuple(refused),
    )
    return _verified(opened.records, verifier, base)


def with_records(
    base: RecordSet,
    envelopes: Iterable[bytes],
    *,
    unix_s: float,
    attachment_limit_s: int = MAX_ATTACHMENT_S,
) -> RecordSet:
    """Return a set with further records over those of `base`, which is shared, not copied.

    Args:
        envelopes: Of records; lists count in `verify_records` alone.
    """
    opened = _open_all(envelopes)
    verifier = Verifier(
        roots=base.roots,
        unix_s=unix_s,
        attachment_limit_s=attachment_limit_s,
        revoked=base.revoked,
        known=base,
    )
    lists = len(opened.domain_lists) + len(opened.revocations)
    refused = [*opened.refused, *[Refusal("list", "lists are not added to a set")] * lists]
    return _verified(opened.records, verifier, replace(base, refused=tuple(refused)))


def _verified(
    opened: Iterable[tuple[AnyRecord, bytes, bytes]], verifier: Verifier, base: RecordSet
) -> RecordSet:
    """Return `base` with what the verifier knows and those of the opened records that hold."""
    refused = list(base.refused)
    signed_by_address: dict[Address, bytes] = {}
    signed_attachments: dict[Address, bytes] = {}
    # What a record rests on is verified first: domains, then hosts and nodes, then the rest.
    for record, signer, envelope in sorted(opened, key=lambda each: RANKS[type(each[0])]):
        try:
            _ = verifier.add(record, signer)
        except Refused as reason:
            refused.append(Refusal(_title(record), str(reason)))
            continue
        match record:
            case Enrolment(address=address) | GroupRecord(group=address):
                signed_by_address[address] = envelope
            case AttachmentRecord(host=host):
                signed_attachments[host] = envelope
            case DomainRecord() | NodeRecord() | Absence():
                pass
            case _:
                assert_never(record)
    return replace(
        base,
        domains=verifier.domains,
        enrolments=verifier.enrolments,
        nodes=verifier.nodes,
        attachments=verifier.attachments,
        groups=verifier.groups,
        names=verifier.names,
        numbers=verifier.numbers,
        holders=verifier.holders,
        envelopes=over(base.envelopes, signed_by_address),
        attachment_envelopes=over(base.attachment_envelopes, signed_attachments),
        refused=tuple(refused[:MAX_REFUSALS]),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    records: list[tuple[AnyRecord, bytes, bytes]]
    domain_lists: list[SignedList[DomainList]]
    revocations: list[SignedList[RevocationList]]
    refused: list[Refusal]


def _open_all(envelopes: Iterable[bytes]) -> _Opened:
    opened = _Opened([], [], [], [])
    for index, envelope in enumerate(envelopes):
        try:
            if is_list(envelope):
                _sort_in(open_list(envelope), opened)
            else:
                opened.records.append((*open_record(envelope), envelope))
        except IntegrityError as error:
            opened.refused.append(Refusal(f"record {index}", str(error)))
    return opened


def with_revocations(records: RecordSet, signed: SignedList[RevocationList]) -> RecordSet:
    """Return the set with a newer list of a domain that revokes the same keys as the one before."""
    domain = signed.body.domain
    old = records.revocations[domain].envelope
    return replace(
        records,
        revocations={**records.revocations, domain: signed},
        lists=tuple(signed.envelope if each == old else each for each in records.lists),
    )


def _sort_in(signed: SignedList[AnyList], opened: _Opened) -> None:
    match signed.body:
        case DomainList() as body:
            opened.domain_lists.append(SignedList(body, signed.signers, signed.envelope))
        case RevocationList() as body:
            opened.revocations.append(SignedList(body, signed.signers, signed.envelope))
        case _:
            assert_never(signed.body)


RANKS: Mapping[type[AnyRecord], int] = {
    DomainRecord: 0,
    NodeRecord: 1,
    Enrolment: 2,
    AttachmentRecord: 3,
    GroupRecord: 4,
    Absence: 5,
}


def _title(record: AnyRecord) -> str:
    match record:
        case DomainRecord():
            return f"domain {record.name}"
        case Enrolment():
            return f"enrolment {' '.join(record.names[:1]) or format_address(record.address)}"
        case NodeRecord():
            return f"node {record.name}"
        case AttachmentRecord():
            return f"attachment {format_address(record.host)}"
        case GroupRecord():
            return f"group {record.name}"
        case Absence():
            return f"absence {record.name or format_address(record.address)}"
