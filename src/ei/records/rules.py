"""Who may state what: the rules by which a signed record counts."""

import re
from collections import ChainMap
from collections.abc import Container, Mapping, MutableMapping
from typing import Protocol, TypeVar, assert_never, cast

import msgspec

from ei.records.addresses import (
    ADDRESS_BYTES,
    MAX_DOMAIN_NUMBER,
    domain_number_of,
    make_address,
    make_group_address,
)
from ei.records.fields import (
    Refused,
    check_allowed,
    check_count,
    check_endpoint,
    check_guards,
    check_key,
    check_location,
    check_relations,
    refuse,
)
from ei.records.kinds import (
    MAX_ABSENCE_S,
    Absence,
    AnyRecord,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.roots import Roots
from ei.sdk.packets import Address

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
MAX_ATTACHED_NODES = 8
MAX_GROUP_NODES = 64
MAX_ENDPOINTS = 8
MAX_NAMES = 16
SHORT_KEY_BYTES = 16
"""The datapath tells peers apart by so much of their pipe keys."""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
RenewedT = TypeVar("RenewedT", DomainRecord, Enrolment, NodeRecord)
SequencedT = TypeVar("SequencedT", AttachmentRecord, GroupRecord)


class Known(Protocol):
    """Records that hold already; see `ei.records.record_set.RecordSet`."""

    @property
    def domains(self) -> Mapping[str, DomainRecord]: ...
    @property
    def numbers(self) -> Mapping[int, DomainRecord]: ...
    @property
    def enrolments(self) -> Mapping[Address, Enrolment]: ...
    @property
    def nodes(self) -> Mapping[Address, NodeRecord]: ...
    @property
    def attachments(self) -> Mapping[Address, AttachmentRecord]: ...
    @property
    def groups(self) -> Mapping[Address, GroupRecord]: ...
    @property
    def names(self) -> Mapping[str, Address]: ...
    @property
    def holders(self) -> Mapping[bytes, str]: ...


class Verifier:
    """Collects records that hold; a record must come after those it rests on.

    Args:
        roots: Who speaks for which domain.
        unix_s: Now.
        attachment_limit_s: Longest time that an attachment may still have to live.
        revoked: Domain name to the keys that it has revoked.
        known: What holds already; it is looked at and never changed.

    Attributes:
        domains, numbers: By name, and by number.
        holders: First 16 bytes of a pipe key to the name of who has it.
    """

    def __init__(
        self,
        *,
        roots: Roots,
        unix_s: float,
        attachment_limit_s: int,
        revoked: Mapping[str, Container[bytes]] | None = None,
        known: Known | None = None,
    ) -> None:
        self._roots = roots
        self._revoked = revoked or {}
        self._unix_s = unix_s
        self._attachment_limit_s = attachment_limit_s
        self._owners: dict[int, str] | None = None
        self._unknown: dict[int, str] = {}
        self.domains: MutableMapping[str, DomainRecord] = {}
        self.numbers: MutableMapping[int, DomainRecord] = {}
        self.holders: MutableMapping[bytes, str] = {}
        self.enrolments: MutableMapping[Address, Enrolment] = {}
        self.nodes: MutableMapping[Address, NodeRecord] = {}
        self.attachments: MutableMapping[Address, AttachmentRecord] = {}
        self.groups: MutableMapping[Address, GroupRecord] = {}
        self.names: MutableMapping[str, Address] = {}
        if known is not None:
            self.domains, self.numbers = over(known.domains), over(known.numbers)
            self.holders, self.names = over(known.holders), over(known.names)
            self.enrolments, self.nodes = over(known.enrolments), over(known.nodes)
            self.attachments, self.groups = over(known.attachments), over(known.groups)

    def add(self, record: AnyRecord, signer: bytes) -> AnyRecord:
        """Keep `record`, signed by the Ed25519 key `signer`; return it as far as it counts.

        Nodes without a record, because they are revoked, are left out of it.

        Raises:
            Refused: it does not count.
        """
        try:
            return self._add(record, signer)
        except Refused as reason:
            if isinstance(record, DomainRecord):
                _ = self._unknown.setdefault(record.number, f": {record.name} {reason}")
            raise

    def _add(self, record: AnyRecord, signer: bytes) -> AnyRecord:
        if record.expires_unix_s <= self._unix_s:
            refuse("expired", f"expired {self._unix_s - record.expires_unix_s:.0f} s ago")
        match record:
            case DomainRecord():
                self._add_domain(record, signer)
            case Enrolment():
                self._add_enrolment(record, signer)
            case NodeRecord():
                self._add_node(record, signer)
            case AttachmentRecord():
                return self._add_attachment(record, signer)
            case GroupRecord():
                return self._add_group(record, signer)
            case Absence():
                self._check_absence(record, signer)
            case _:
                assert_never(record)
        return record

    def _add_domain(self, record: DomainRecord, signer: bytes) -> None:
        trusted = self._roots.keys.get(record.name)
        if trusted is None:
            refuse(
                "untrusted_domain",
                self._roots.reasons.get(record.name)
                or f"no key of domain {record.name!r} is trusted here",
            )
        if trusted != signer:
            refuse(
                "wrong_signer", f"signed by {signer.hex()[:16]}, trusted is {trusted.hex()[:16]}"
            )
        if not 1 <= record.number <= MAX_DOMAIN_NUMBER:
            refuse("bad_field", f"its number {record.number} is not 1 to {MAX_DOMAIN_NUMBER}")
        self._check_revoked(record.name, signer)
        check_relations(record)
        if (known := self.domains.get(record.name)) is not None:
            if record.number != known.number:
                refuse(
                    "taken_number", f"its number is {record.number} here and {known.number} there"
                )
            _check_newer(record, known)
        given = self._roots.numbers.get(record.name, record.number)
        if record.number != given:
            refuse("taken_number", f"its number is {record.number}, governance gave it {given}")
        owner = self._owner_of(record)
        if owner != record.name:
            refuse("taken_number", f"number {record.number} is that of domain {owner}")
        self.domains[record.name] = record
        self.numbers[record.number] = record

    def _add_enrolment(self, record: Enrolment, signer: bytes) -> None:
        self._check_subject(record, record.names, signer)
        known = self.enrolments.get(record.address)
        if known is not None:
            _check_newer(record, known)
            for name in known.names:
                _ = self.names.pop(name, None)
        self.enrolments[record.address] = record
        self.names.update(dict.fromkeys(record.names, record.address))

    def _add_node(self, record: NodeRecord, signer: bytes) -> None:
        self._check_subject(record, (record.name,), signer)
        check_count("endpoints", len(record.endpoints), MAX_ENDPOINTS)
        for endpoint in record.endpoints:
            check_endpoint(endpoint)
        check_location(record.location)
        if (known := self.nodes.get(record.address)) is not None:
            _check_newer(record, known)
        self.nodes[record.address] = record
        self.names[record.name] = record.address

    def _add_attachment(self, record: AttachmentRecord, signer: bytes) -> AttachmentRecord:
        self._check_revoked(self._home(record.host).name, signer)
        enrolment = self.enrolments.get(record.host)
        if enrolment is None:
            refuse("unknown_host", "its host is not enrolled")
        if enrolment.identity_key != signer:
            refuse("wrong_signer", f"signed by {signer.hex()[:16]}, not by its host")
        left_s = record.expires_unix_s - self._unix_s
        if left_s > self._attachment_limit_s:
            refuse(
                "lives_too_long",
                f"lives {left_s:.0f} s more, allowed are {self._attachment_limit_s} s",
            )
        check_guards(record.guards)
        nodes = self._known_nodes(record.nodes, MAX_ATTACHED_NODES)
        kept = msgspec.structs.replace(record, nodes=nodes)
        _keep_newer(self.attachments, record.host, kept)
        return kept

    def _add_group(self, record: GroupRecord, signer: bytes) -> GroupRecord:
        if record.owner_key != signer:
            refuse("wrong_signer", f"signed by {signer.hex()[:16]}, not by its owner")
        domain = self._home(record.group)
        self._check_revoked(domain.name, signer)
        check_key("owner", record.owner_key)
        if make_group_address(domain.number, record.owner_key, record.name) != record.group:
            refuse("squatted_address", "its address does not follow from its owner and name")
        if not self._is_known(record.owner_key, domain):
            refuse("wrong_signer", f"its owner is neither domain {domain.name} nor a host of it")
        nodes = self._known_nodes(record.nodes, MAX_GROUP_NODES)
        check_allowed("senders", record.senders)
        check_allowed("members", record.members)
        self._check_names((record.name,), domain, record.group)
        kept = msgspec.structs.replace(record, nodes=nodes)
        _keep_newer(self.groups, record.group, kept)
        self.names[record.name] = record.group
        return kept

    def _check_absence(self, record: Absence, signer: bytes) -> None:
        if len(record.address) != (0 if record.name else ADDRESS_BYTES):
            refuse("bad_field", "it is not about either a name or an address")
        domain = self.domains.get(record.name.partition(".")[2])
        if record.address:
            domain = self._home(Address(record.address))
        if domain is None:
            refuse("unknown_domain", f"the domain of {record.name!r} is not known")
        self._check_revoked(domain.name, signer)
        node = make_address(domain.number, signer)
        if node not in self.nodes or node not in (domain.directories or (node,)):
            refuse("wrong_signer", f"signed by {signer.hex()[:16]}, no directory of {domain.name}")
        left_s = record.expires_unix_s - self._unix_s
        if left_s > MAX_ABSENCE_S:
            refuse("lives_too_long", f"lives {left_s:.0f} s more, allowed are {MAX_ABSENCE_S} s")

    def _owner_of(self, record: DomainRecord) -> str:
        if self._owners is None:
            self._owners = {number: name for name, number in self._roots.numbers.items()}
        return self._owners.setdefault(record.number, record.name)

    # -- parts of rules --------------------------------------------------------------------------

    def _check_subject(
        self, record: Enrolment | NodeRecord, names: tuple[str, ...], signer: bytes
    ) -> None:
        domain = self._home(record.address)
        if self._roots.keys[domain.name] != signer:
            refuse("wrong_signer", f"signed by {signer.hex()[:16]}, not by domain {domain.name}")
        self._check_revoked(domain.name, record.identity_key, record.pipe_key)
        check_key("identity", record.identity_key)
        if make_address(domain.number, record.identity_key) != record.address:
            refuse("squatted_address", "its address does not follow from its identity key")
        self._check_names(names, domain, record.address)
        # With one key of two peers, nobody could tell whose pipe or word it is.
        known = self.nodes.get(record.address) or self.enrolments.get(record.address)
        if known is not None and (type(known) is not type(record) or first_name(known) != names[0]):
            refuse("taken_key", f"its identity key is that of {first_name(known)}")
        check_key("pipe", record.pipe_key)
        holder = self.holders.setdefault(record.pipe_key[:SHORT_KEY_BYTES], names[0])
        if holder != names[0]:
            refuse("taken_key", f"its pipe key is that of {holder}")

    def _check_revoked(self, domain: str, *keys: bytes) -> None:
        if any(key in self._revoked.get(domain, ()) for key in keys):
            refuse("revoked", f"revoked by {domain}")

    def _check_names(self, names: tuple[str, ...], domain: DomainRecord, owner: Address) -> None:
        check_count("names", len(names), MAX_NAMES)
        for name in names:
            own, _, rest = name.partition(".")
            if rest != domain.name or NAME.fullmatch(own) is None:
                refuse("squatted_name", f"the name {name!r} is not <name>.{domain.name}")
            if self.names.get(name, owner) != owner:
                refuse("taken_name", f"the name {name} is taken")

    def _known_nodes(self, nodes: tuple[Address, ...], most: int) -> tuple[Address, ...]:
        """Return the nodes that have a record: one that is revoked takes nobody along."""
        check_count("nodes", len(nodes), most)
        if len(set(nodes)) != len(nodes):
            refuse("bad_field", "it names a node twice")
        known = tuple(node for node in nodes if node in self.nodes)
        if not known:
            refuse("unknown_node", "it names no node that has a record")
        return known

    def _home(self, address: Address) -> DomainRecord:
        number = domain_number_of(address)
        domain = self.numbers.get(number)
        if domain is None:
            why = self._unknown.get(number, "")
            refuse("unknown_domain", f"domain number {number} is not known{why}")
        if domain.expires_unix_s <= self._unix_s:
            refuse("unknown_domain", f"the record of domain {domain.name} has expired")
        return domain

    def _is_known(self, key: bytes, domain: DomainRecord) -> bool:
        if self._roots.keys[domain.name] == key:
            return True
        enrolment = self.enrolments.get(make_address(domain.number, key))
        return enrolment is not None and enrolment.identity_key == key


def over(
    known: Mapping[KeyT, ValueT], new: dict[KeyT, ValueT] | None = None
) -> MutableMapping[KeyT, ValueT]:
    """Return a map for what comes, with what is known behind it; that is not copied."""
    new = {} if new is None else new
    return ChainMap(new, cast("dict[KeyT, ValueT]", known)) if known else new


def _keep_newer(
    kept: MutableMapping[Address, SequencedT], key: Address, record: SequencedT
) -> None:
    known = kept.get(key)
    if known is not None and known.sequence >= record.sequence:
        refuse("older", f"sequence {record.sequence} is not above {known.sequence}")
    kept[key] = record


def _check_newer(record: RenewedT, known: RenewedT) -> None:
    """Of two records that a domain signed of the same, the one that lives longer is the newer."""
    if record.expires_unix_s <= known.expires_unix_s:
        refuse("older", "a second record of the same, which expires no later")


def first_name(record: Enrolment | NodeRecord) -> str:
    """Return the preferred name of a host or node."""
    return record.name if isinstance(record, NodeRecord) else record.names[0]
