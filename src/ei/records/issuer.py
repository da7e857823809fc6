"""Makes signed records: what a domain, a host and the owner of a group say."""

from dataclasses import dataclass

from ei.records.addresses import make_group_address
from ei.records.envelope import seal_record
from ei.records.keys import Keys
from ei.records.kinds import (
    EVERYBODY,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.locations import Location
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs for one domain.

    Attributes:
        name: Of the domain.
        number: Of the domain, 1 to 2^32 - 1.
        keys: Of the domain.
        expires_unix_s: Of all that it issues.
    """

    name: str
    number: int
    keys: Keys
    expires_unix_s: int

    def domain(
        self, *, providers: tuple[int, ...] = (), directories: tuple[Address, ...] = ()
    ) -> bytes:
        """Return the envelope of the domain's own record."""
        record = DomainRecord(self.name, self.number, self.expires_unix_s, providers, directories)
        return seal_record(record, self.keys)

    def enrol(self, host: Keys, *names: str) -> bytes:
        """Return the enrolment of a host under its full names, the preferred first."""
        return seal_record(
            Enrolment(
                host.address(self.number),
                names,
                host.identity_key,
                host.pipe_key,
                self.expires_unix_s,
            ),
            self.keys,
        )

    def node(
        self,
        node: Keys,
        name: str,
        *,
        endpoints: tuple[str, ...],
        services: tuple[int, ...],
        location: Location | None = None,
    ) -> bytes:
        """Return the record of a service node."""
        return seal_record(
            NodeRecord(
                node.address(self.number),
                name,
                node.identity_key,
                node.pipe_key,
                endpoints,
                services,
                self.expires_unix_s,
                location,
            ),
            self.keys,
        )

    def group(self, name: str, *, nodes: tuple[Address, ...], sequence: int) -> bytes:
        """Return the record of an open group that the domain itself owns."""
        address = make_group_address(self.number, self.keys.identity_key, name)
        return seal_record(
            GroupRecord(
                address,
                name,
                self.keys.identity_key,
                nodes,
                sequence,
                self.expires_unix_s,
                senders=(EVERYBODY,),
                members=(EVERYBODY,),
            ),
            self.keys,
        )

    def attach(self, host: Keys, *, nodes: tuple[Address, ...], sequence: int) -> bytes:
        """Return the attachment that `host`, a host of this domain, states of itself."""
        return seal_record(
            AttachmentRecord(host.address(self.number), nodes, sequence, self.expires_unix_s), host
        )
