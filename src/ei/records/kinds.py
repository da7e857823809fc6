"""What can be stated: one Struct per kind of record. All times are Unix seconds."""

import msgspec

from ei.records.locations import Location
from ei.sdk.packets import Address

MAX_ABSENCE_S = 60
"""A statement that something is not there is refused when it holds for longer than this."""

EVERYBODY = 0
"""Among those whom a group allows: no domain has the number."""

MAX_ATTACHMENT_S = 3_600
"""An attachment that lives longer than this is refused, unless a configuration says otherwise."""


class DomainRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """A domain, in its own words; signed by the domain, whose key the reader trusts by other means.

    Attributes:
        name: Last part of the names in it, such as `isp-a`.
        number: Part of all its addresses, 1 to 2^32 - 1.
        providers: Numbers of the domains that carry its traffic to all others, at most 64; what
            anybody announces of it is checked against them.
        directories: Addresses of its nodes that answer for its names, at most 8, the preferred
            first; none means that all its nodes do.
    """

    name: str
    number: int
    expires_unix_s: int
    providers: tuple[int, ...] = ()
    directories: tuple[Address, ...] = ()


class Enrolment(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """A domain says who one of its hosts is; signed by the domain.

    Attributes:
        names: Full names that lead to it, the preferred first, such as `alice.isp-a`.
        identity_key: Ed25519; the address follows from it.
        pipe_key: X25519.
    """

    address: Address
    names: tuple[str, ...]
    identity_key: bytes
    pipe_key: bytes
    expires_unix_s: int


class NodeRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """A domain says who one of its service nodes is; signed by the domain.

    Attributes:
        endpoints: Where its pipes are answered, such as `192.0.2.1:3535`, the preferred first.
        services: Numbers of the services that it offers.
        location: Roughly where it is; `None` where the domain does not say.
    """

    address: Address
    name: str
    identity_key: bytes
    pipe_key: bytes
    endpoints: tuple[str, ...]
    services: tuple[int, ...]
    expires_unix_s: int
    location: Location | None = None


class AttachmentRecord(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4
):
    """A host says where it is attached; signed by the host.

    Attributes:
        nodes: 1 to 8, the preferred first.
        sequence: max(last + 1, Unix microseconds); of two records the larger counts.
        guards: Numbers of the services that its nodes are to run before the pipe to it, in order,
            each once, at most 8; `None` where it does not say.
    """

    host: Address
    nodes: tuple[Address, ...]
    sequence: int
    expires_unix_s: int
    guards: tuple[int, ...] | None = None


class GroupRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """The owner of a group says where its members meet, and who they are; signed by the owner.

    Attributes:
        name: Full name, such as `news.isp-a`.
        nodes: 1 to 64, the preferred first.
        sequence: As of an attachment.
        senders: Who may send to it: numbers of domains, 0 for `EVERYBODY`, then addresses of
            hosts; in order, each once, at most 48. Nobody else may, the owner neither.
        members: Who may join it, likewise.
    """

    group: Address
    name: str
    owner_key: bytes
    nodes: tuple[Address, ...]
    sequence: int
    expires_unix_s: int
    senders: tuple[int | bytes, ...] = ()
    members: tuple[int | bytes, ...] = ()


class Absence(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=8):
    """A directory says that its domain has no such record; signed by the node that answers.

    Attributes:
        name: Full name that means nothing; empty when it is about an address.
        address: Of no host and no group; empty when it is about a name.
        is_attachment: The host may exist, but it is attached nowhere.
        expires_unix_s: At most 60 s from now.
    """

    name: str
    address: bytes
    is_attachment: bool
    expires_unix_s: int


AnyRecord = DomainRecord | Enrolment | NodeRecord | AttachmentRecord | GroupRecord | Absence
