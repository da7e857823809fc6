"""Who may state what: the rules by which a signed record counts."""

import re
from collections.abc import Container, Mapping
from typing import NoReturn, TypeVar, assert_never

import msgspec

from ei.errors import LocalError
from ei.records.addresses import (
    ADDRESS_BYTES,
    KEY_BYTES,
    MAX_DOMAIN_NUMBER,
    domain_number_of,
    format_address,
    make_address,
    make_group_address,
)
from ei.records.endpoints import parse_endpoint
from ei.records.kinds import (
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
MAX_PROVIDERS = 64
MAX_DIRECTORIES = 8
SHORT_KEY_BYTES = 16
"""The datapath tells peers apart by so much of their pipe keys."""

RenewedT = TypeVar("RenewedT", DomainRecord, Enrolment, NodeRecord)
SequencedT = TypeVar("SequencedT", AttachmentRecord, GroupRecord)


class Refused(Exception):  # noqa: N818 it says what became of the record
    """A record does not count; the message says why. Never leaves this package."""


class Verifier:
    """Collects records that hold; a record must come after those it rests on.

    Args:
        roots: Who speaks for which domain.
        unix_s: Now.
        attachment_limit_s: Longest time that an attachment may still have to live.
        revoked: Domain name to the keys that it has revoked.
    """

    def __init__(
        self,
        *,
        roots: Roots,
        unix_s: float,
        attachment_limit_s: int,
        revoked: Mapping[str, Container[bytes]] | None = None,
    ) -> None:
        self._roots = roots
        self._revoked = revoked or {}
        self._unix_s = unix_s
        self._attachment_limit_s = attachment_limit_s
        self._owners = {number: name for name, number in roots.numbers.items()}
        self._domains_by_number: dict[int, DomainRecord] = {}
        self._unknown: dict[int, str] = {}
        self._holders: dict[bytes, str] = {}
        self.domains: dict[str, DomainRecord] = {}
        self.enrolments: dict[Address, Enrolment] = {}
        self.nodes: dict[Address, NodeRecord] = {}
        self.attachments: dict[Address, AttachmentRecord] = {}
        self.groups: dict[Address, GroupRecord] = {}
        self.names: dict[str, Address] = {}

    def add(self, record: AnyRecord, signer: bytes) -> None:
        """Keep `record`, signed by the Ed25519 key `signer`.

        Raises:
            Refused: it does not count.
        """
        try:
            self._add(record, signer)
        except Refused as reason:
            if isinstance(record, DomainRecord):
                _ = self._unknown.setdefault(record.number, f": {record.name} {reason}")
            raise

    def _add(self, record: AnyRecord, signer: bytes) -> None:
        if record.expires_unix_s <= self._unix_s:
            _refuse(f"expired {self._unix_s - record.expires_unix_s:.0f} s ago")
        match record:
            case DomainRecord():
                self._add_domain(record, signer)
            case Enrolment():
                self._add_enrolment(record, signer)
            case NodeRecord():
                self._add_node(record, signer)
            case AttachmentRecord():
                self._add_attachment(record, signer)
            case GroupRecord():
                self._add_group(record, signer)
            case _:
                assert_never(record)

    def _add_domain(self, record: DomainRecord, signer: bytes) -> None:
        trusted = self._roots.keys.get(record.name)
        if trusted is None:
            _refuse(
                self._roots.reasons.get(record.name)
                or f"no key of domain {record.name!r} is trusted here"
            )
        if trusted != signer:
            _refuse(f"signed by {signer.hex()[:16]}, trusted is {trusted.hex()[:16]}")
        if not 1 <= record.number <= MAX_DOMAIN_NUMBER:
            _refuse(f"its number {record.number} is not 1 to {MAX_DOMAIN_NUMBER}")
        self._check_revoked(record.name, signer)
        _check_relations(record)
        if (known := self.domains.get(record.name)) is not None:
            if record.number != known.number:
                _refuse(f"its number is {record.number} here and {known.number} there")
            _check_newer(record, known)
        given = self._roots.numbers.get(record.name, record.number)
        if record.number != given:
            _refuse(f"its number is {record.number}, governance gave it {given}")
        owner = self._owners.setdefault(record.number, record.name)
        if owner != record.name:
            _refuse(f"number {record.number} is that of domain {owner}")
        self.domains[record.name] = record
        self._domains_by_number[record.number] = record

    def _add_enrolment(self, record: Enrolment, signer: bytes) -> None:
        self._check_subject(record, record.names, signer)
        known = self.enrolments.get(record.address)
        if known is not None:
            _check_newer(record, known)
            for name in known.names:
                del self.names[name]
        self.enrolments[record.address] = record
        self.names.update(dict.fromkeys(record.names, record.address))

    def _add_node(self, record: NodeRecord, signer: bytes) -> None:
        self._check_subject(record, (record.name,), signer)
        _check_count("endpoints", len(record.endpoints), MAX_ENDPOINTS)
        for endpoint in record.endpoints:
            _check_endpoint(endpoint)
        if (known := self.nodes.get(record.address)) is not None:
            _check_newer(record, known)
        self.nodes[record.address] = record
        self.names[record.name] = record.address

    def _add_attachment(self, record: AttachmentRecord, signer: bytes) -> None:
        self._check_revoked(self._home(record.host).name, signer)
        enrolment = self.enrolments.get(record.host)
        if enrolment is None:
            _refuse("its host is not enrolled")
        if enrolment.identity_key != signer:
            _refuse(f"signed by {signer.hex()[:16]}, not by its host")
        left_s = record.expires_unix_s - self._unix_s
        if left_s > self._attachment_limit_s:
            _refuse(f"lives {left_s:.0f} s more, allowed are {self._attachment_limit_s} s")
        nodes = self._known_nodes(record.nodes, MAX_ATTACHED_NODES)
        kept = msgspec.structs.replace(record, nodes=nodes)
        _keep_newer(self.attachments, record.host, kept)

    def _add_group(self, record: GroupRecord, signer: bytes) -> None:
        if record.owner_key != signer:
            _refuse(f"signed by {signer.hex()[:16]}, not by its owner")
        domain = self._home(record.group)
        self._check_revoked(domain.name, signer)
        _check_key("owner", record.owner_key)
        if make_group_address(domain.number, record.owner_key, record.name) != record.group:
            _refuse("its address does not follow from its owner and name")
        if not self._is_known(record.owner_key, domain):
            _refuse(f"its owner is neither domain {domain.name} nor a host of it")
        nodes = self._known_nodes(record.nodes, MAX_GROUP_NODES)
        self._check_names((record.name,), domain, record.group)
        _keep_newer(self.groups, record.group, msgspec.structs.replace(record, nodes=nodes))
        self.names[record.name] = record.group

    # -- parts of rules --------------------------------------------------------------------------

    def _check_subject(
        self, record: Enrolment | NodeRecord, names: tuple[str, ...], signer: bytes
    ) -> None:
        domain = self._home(record.address)
        if self._roots.keys[domain.name] != signer:
            _refuse(f"signed by {signer.hex()[:16]}, not by domain {domain.name}")
        self._check_revoked(domain.name, record.identity_key, record.pipe_key)
        _check_key("identity", record.identity_key)
        if make_address(domain.number, record.identity_key) != record.address:
            _refuse("its address does not follow from its identity key")
        self._check_names(names, domain, record.address)
        # With one key of two peers, nobody could tell whose pipe or word it is.
        known = self.nodes.get(record.address) or self.enrolments.get(record.address)
        if known is not None and (type(known) is not type(record) or first_name(known) != names[0]):
            _refuse(f"its identity key is that of {first_name(known)}")
        _check_key("pipe", record.pipe_key)
        holder = self._holders.setdefault(record.pipe_key[:SHORT_KEY_BYTES], names[0])
        if holder != names[0]:
            _refuse(f"its pipe key is that of {holder}")

    def _check_revoked(self, domain: str, *keys: bytes) -> None:
        if any(key in self._revoked.get(domain, ()) for key in keys):
            _refuse(f"revoked by {domain}")

    def _check_names(self, names: tuple[str, ...], domain: DomainRecord, owner: Address) -> None:
        _check_count("names", len(names), MAX_NAMES)
        for name in names:
            own, _, rest = name.partition(".")
            if rest != domain.name or NAME.fullmatch(own) is None:
                _refuse(f"the name {name!r} is not <name>.{domain.name}")
            if self.names.get(name, owner) != owner:
                _refuse(f"the name {name} is taken")

    def _known_nodes(self, nodes: tuple[Address, ...], most: int) -> tuple[Address, ...]:
        """Return the nodes that have a record: one that is revoked takes nobody along."""
        _check_count("nodes", len(nodes), most)
        if len(set(nodes)) != len(nodes):
            _refuse("it names a node twice")
        known = tuple(node for node in nodes if node in self.nodes)
        if not known:
            _refuse("it names no node that has a record")
        return known

    def _home(self, address: Address) -> DomainRecord:
        domain = self._domains_by_number.get(domain_number_of(address))
        if domain is None:
            number = domain_number_of(address)
            _refuse(f"domain number {number} is not known{self._unknown.get(number, '')}")
        return domain

    def _is_known(self, key: bytes, domain: DomainRecord) -> bool:
        if self._roots.keys[domain.name] == key:
            return True
        enrolment = self.enrolments.get(make_address(domain.number, key))
        return enrolment is not None and enrolment.identity_key == key


def _keep_newer(kept: dict[Address, SequencedT], key: Address, record: SequencedT) -> None:
    known = kept.get(key)
    if known is not None and known.sequence >= record.sequence:
        _refuse(f"sequence {record.sequence} is not above {known.sequence}")
    kept[key] = record


def _check_newer(record: RenewedT, known: RenewedT) -> None:
    """Of two records that a domain signed of the same, the one that lives longer is the newer."""
    if record.expires_unix_s <= known.expires_unix_s:
        _refuse("a second record of the same, which expires no later")


def first_name(record: Enrolment | NodeRecord) -> str:
    """Return the preferred name of a host or node."""
    return record.name if isinstance(record, NodeRecord) else record.names[0]


def _check_relations(record: DomainRecord) -> None:
    if len(record.providers) > MAX_PROVIDERS:
        _refuse(f"it has {len(record.providers)} providers, allowed are {MAX_PROVIDERS}")
    for provider in record.providers:
        if not 1 <= provider <= MAX_DOMAIN_NUMBER or provider == record.number:
            _refuse(f"its provider {provider} is not the number of another domain")
    if len(record.directories) > MAX_DIRECTORIES:
        _refuse(f"it has {len(record.directories)} directories, allowed are {MAX_DIRECTORIES}")
    for directory in record.directories:
        if len(directory) != ADDRESS_BYTES or domain_number_of(directory) != record.number:
            _refuse(f"its directory {format_address(directory)} is no node of it")


def _check_key(what: str, key: bytes) -> None:
    if len(key) != KEY_BYTES:
        _refuse(f"its {what} key has {len(key)} bytes, not {KEY_BYTES}")


def _check_endpoint(endpoint: str) -> None:
    try:
        _ = parse_endpoint(endpoint)
    except LocalError as error:
        _refuse(f"its endpoint {error}")


def _check_count(what: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        _refuse(f"it has {count} {what}, allowed are 1 to {most}")


def _refuse(reason: str) -> NoReturn:
    raise Refused(reason)
