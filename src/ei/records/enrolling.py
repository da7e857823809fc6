"""A domain keeps a record file of its own: the static directory of small domains."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.errors import ConfigError, ConflictError, IntegrityError, NotFoundError
from ei.records.addresses import domain_number_of, make_address
from ei.records.envelope import open_record, seal_record
from ei.records.issuer import Issuer
from ei.records.keys import Keys
from ei.records.kinds import (
    Absence,
    AnyRecord,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.lists import (
    AnyList,
    RevocationList,
    SignedList,
    is_list,
    open_list,
    seal_list,
)
from ei.records.locations import Location
from ei.records.record_files import locked, read_records, write_records
from ei.records.record_set import RecordSet, verify_records
from ei.records.requests import Request
from ei.records.revocation import next_list, read_revocations
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class Roll:
    """A record file of one domain, open for changes.

    Attributes:
        issuer: Signs for the domain.
        path: Of the record file, which need not exist yet.
        unix_s: Now.
    """

    issuer: Issuer
    path: Path
    unix_s: float

    def read(self) -> RecordSet:
        """Return what the file says of this domain.

        Raises:
            EiError: the file cannot be read.
        """
        own = [each for each in self._envelopes() if self._is_of_domain(each)]
        return self._verify(own)

    def add(self, make: Callable[[RecordSet], list[bytes]]) -> RecordSet:
        """Add what `make` returns for the records that are there; return all.

        Raises:
            ConflictError: a name or address is taken; the file is as before.
            EiError: the file cannot be read.
        """
        with locked(self.path):
            envelopes = self._envelopes()
            return self._write(envelopes, [*envelopes, *make(self._verify(envelopes))])

    def enrol(self, request: Request) -> RecordSet:
        """Sign what somebody asks for; one who is enrolled already is renewed.

        Raises:
            ConflictError: the name or a key is another's, or revoked; the file is as before.
            EiError: the file cannot be read.
        """
        record = self._record_of(request)
        with locked(self.path):
            envelopes = self._envelopes()
            if isinstance(record, NodeRecord):
                old = self._newest_of(envelopes, record.name)
                record = msgspec.structs.replace(record, location=old and old.location)
            kept = [each for each in envelopes if not self._is_older(each, record)]
            return self._write(envelopes, [*kept, seal_record(record, self.issuer.keys)])

    def renew(self, names: Iterable[str] = ()) -> list[str]:
        """Sign again, with the issuer's expiry, what the domain has signed; return the names.

        Args:
            names: Of hosts, nodes and groups; none means all, and the domain itself.

        Raises:
            ConfigError: the file has no record of one of the names.
            EiError: the file cannot be read.
        """
        wanted = set(names)
        done: list[str] = []
        with locked(self.path):
            envelopes = self._envelopes()
            renewed: list[bytes] = []
            for envelope in envelopes:
                record = self._own(envelope)
                if record is None or (wanted and not wanted & set(names_in(record))):
                    renewed.append(envelope)
                    continue
                new = msgspec.structs.replace(record, expires_unix_s=self.issuer.expires_unix_s)
                if isinstance(new, GroupRecord):
                    new = msgspec.structs.replace(new, sequence=new.sequence + 1)
                renewed.append(seal_record(new, self.issuer.keys))
                done += names_in(record)
            if missing := sorted(wanted - set(done)):
                raise ConfigError(
                    f"{self.path} has no record of {', '.join(missing)} by {self.issuer.name}",
                    remedy="ei domain list shows what there is.",
                )
            _ = self._write(envelopes, renewed)
        return done

    def declare(
        self,
        *,
        providers: tuple[int, ...] | None = None,
        directories: tuple[Address, ...] | None = None,
    ) -> DomainRecord:
        """Sign what the domain says of itself; return it.

        Args:
            providers, directories: As `DomainRecord` has them; as before where they are not given.

        Raises:
            ConflictError: nobody would believe it, and why; the file is as before.
            EiError: the file cannot be read.
        """
        with locked(self.path):
            envelopes = self._envelopes()
            own = [each for each in envelopes if isinstance(self._own(each), DomainRecord)]
            old = find_domain(own, self.issuer.keys)
            assert old is not None  # noqa: S101 _envelopes has made one
            new = msgspec.structs.replace(
                old,
                providers=old.providers if providers is None else providers,
                directories=old.directories if directories is None else directories,
                # Of two records the one that expires later counts, for who has the old one.
                expires_unix_s=max(self.issuer.expires_unix_s, old.expires_unix_s + 1),
            )
            rest = [each for each in envelopes if each not in own]
            _ = self._write(envelopes, [seal_record(new, self.issuer.keys), *rest])
        return new

    def locate(self, name: str, location: Location | None) -> NodeRecord:
        """Sign where a node of the domain is, or that nobody says; return its record.

        Args:
            name: Own or full.

        Raises:
            NotFoundError: the domain has signed no such node.
            ConflictError: nobody would believe it, and why; the file is as before.
            EiError: the file cannot be read.
        """
        with locked(self.path):
            envelopes = self._envelopes()
            old = self._newest_of(envelopes, full_name(name, self.issuer.name))
            if old is None:
                raise NotFoundError(
                    f"{self.path} has no node {name} of {self.issuer.name}",
                    remedy="ei domain list shows what there is.",
                )
            # Of two records the one that expires later counts, for who has the old one.
            expires_unix_s = max(self.issuer.expires_unix_s, old.expires_unix_s + 1)
            new = msgspec.structs.replace(old, location=location, expires_unix_s=expires_unix_s)
            kept = [each for each in envelopes if not self._is_older(each, new)]
            _ = self._write(envelopes, [*kept, seal_record(new, self.issuer.keys)])
        return new

    def revoke(self, keys: Iterable[bytes] = ()) -> RevocationList:
        """Sign the next list of revoked keys, `keys` added, and drop their records.

        Raises:
            EiError: the file cannot be read.
        """
        with locked(self.path):
            envelopes = self._envelopes()
            before = self._verify(envelopes).revocations.get(self.issuer.name)
            body = next_list(
                None if before is None else before.body,
                domain=self.issuer.name,
                unix_s=self.unix_s,
                revoke=keys,
            )
            kept = [each for each in envelopes if not self._is_revoked(each, set(body.keys))]
            _ = self._write(envelopes, [*kept, seal_list(body, [self.issuer.keys])])
        return body

    def refresh(self, known: SignedList[RevocationList] | None) -> SignedList[RevocationList]:
        """Sign the next list of the same revoked keys; looks at nothing else in the file.

        Args:
            known: A list of this domain that was seen elsewhere, maybe newer than the file's.

        Raises:
            EiError: the file cannot be read.
        """
        with locked(self.path):
            envelopes = read_records(self.path)
            lists = [each for each in envelopes if is_list(each)]
            key = self.issuer.keys.identity_key
            own = [] if known is None else [known]
            for opened in map(open_list, lists):
                body = opened.body
                if isinstance(body, RevocationList) and body.domain == self.issuer.name:
                    own.append(SignedList(body, opened.signers, opened.envelope))
            newest = read_revocations({self.issuer.name: key}, own).revocations.get(
                self.issuer.name
            )
            body = next_list(
                None if newest is None else newest.body,
                domain=self.issuer.name,
                unix_s=self.unix_s,
            )
            new = seal_list(body, [self.issuer.keys])
            old = {each.envelope for each in own if key in each.signers}
            write_records(self.path, [*(each for each in envelopes if each not in old), new])
        return SignedList(body, frozenset({key}), new)

    # -- parts ------------------------------------------------------------------------------------

    def _envelopes(self) -> list[bytes]:
        envelopes = read_records(self.path) if self.path.exists() else []
        if find_domain(envelopes, self.issuer.keys) is None:
            return [self.issuer.domain(), *envelopes]
        return envelopes

    def _verify(self, envelopes: list[bytes]) -> RecordSet:
        return verify_records(
            envelopes,
            trust={self.issuer.name: self.issuer.keys.identity_key},
            unix_s=self.unix_s,
            attachment_limit_s=self.issuer.expires_unix_s,
        )

    def _write(self, before: list[bytes], after: list[bytes]) -> RecordSet:
        old, new = self._verify(before), self._verify(after)
        if len(new.refused) > len(old.refused):
            refusal = new.refused[-1]
            raise ConflictError(f"{self.path}: {refusal.record}: {refusal.reason}")
        write_records(self.path, after)
        return new

    def _record_of(self, request: Request) -> Enrolment | NodeRecord:
        name = full_name(request.name, self.issuer.name)
        address = make_address(self.issuer.number, request.identity_key)
        keys = (request.identity_key, request.pipe_key)
        expires_unix_s = self.issuer.expires_unix_s
        if not request.endpoints:
            return Enrolment(address, (name,), *keys, expires_unix_s)
        return NodeRecord(address, name, *keys, request.endpoints, request.services, expires_unix_s)

    def _newest_of(self, envelopes: Iterable[bytes], name: str) -> NodeRecord | None:
        """Return what the domain says of a node."""
        own = (self._own(envelope) for envelope in envelopes)
        nodes = [each for each in own if isinstance(each, NodeRecord) and each.name == name]
        return max(nodes, key=lambda node: node.expires_unix_s, default=None)

    def _own(self, envelope: bytes) -> AnyRecord | None:
        """Return a record that the domain itself has signed."""
        record, signer = _opened(envelope)
        return record if signer == self.issuer.keys.identity_key else None

    def _is_older(self, envelope: bytes, new: Enrolment | NodeRecord) -> bool:
        old = self._own(envelope)
        if not isinstance(old, Enrolment | NodeRecord) or type(old) is not type(new):
            return False
        is_same = (old.address, names_in(old)[0]) == (new.address, names_in(new)[0])
        return is_same and old.expires_unix_s <= new.expires_unix_s

    def _is_of_domain(self, envelope: bytes) -> bool:
        body = _list_in(envelope)
        if body is not None:
            return isinstance(body, RevocationList) and body.domain == self.issuer.name
        record, _ = _opened(envelope)
        return record is not None and _home(record) == self.issuer.number

    def _is_revoked(self, envelope: bytes, keys: set[bytes]) -> bool:
        """Return whether it is the list before, or a record in this domain of one of `keys`."""
        record, signer = _opened(envelope)
        subjects = {signer}
        if isinstance(record, Enrolment | NodeRecord):
            subjects = {record.identity_key, record.pipe_key}
        if isinstance(record, DomainRecord):
            return False
        return self._is_of_domain(envelope) and (record is None or bool(subjects & keys))


def find_domain(envelopes: Iterable[bytes], keys: Keys) -> DomainRecord | None:
    """Return the record that the domain with these keys states of itself; the one that lasts."""
    found = [
        record
        for record, signer in map(_opened, envelopes)
        if isinstance(record, DomainRecord) and signer == keys.identity_key
    ]
    return max(found, key=lambda record: record.expires_unix_s, default=None)


def names_in(record: AnyRecord) -> tuple[str, ...]:
    """Return the names that a record is about; an attachment is about none."""
    match record:
        case Enrolment():
            return record.names
        case AttachmentRecord() | Absence():
            return ()
        case DomainRecord() | NodeRecord() | GroupRecord():
            return (record.name,)


def _home(record: AnyRecord) -> int:
    """Return the number of the domain that a record is of."""
    match record:
        case DomainRecord():
            return record.number
        case Enrolment() | NodeRecord():
            return domain_number_of(record.address)
        case AttachmentRecord():
            return domain_number_of(record.host)
        case GroupRecord():
            return domain_number_of(record.group)
        case Absence():
            return 0  # never in a file


def _list_in(envelope: bytes) -> AnyList | None:
    try:
        return open_list(envelope).body if is_list(envelope) else None
    except IntegrityError:
        return None


def _opened(envelope: bytes) -> tuple[AnyRecord | None, bytes]:
    """Return the record in an envelope and who signed it; what does not verify has neither."""
    try:
        return (None, b"") if is_list(envelope) else open_record(envelope)
    except IntegrityError:
        return None, b""


def full_name(name: str, domain: str) -> str:
    """Return `<name>.<domain>` for a short name, and a full one as it is.

    Raises:
        ConfigError: it is of another domain.
    """
    own, _, rest = name.partition(".")
    if rest not in {"", domain}:
        raise ConfigError(f"the name {name!r} is not of domain {domain!r}")
    return f"{own}.{domain}"
