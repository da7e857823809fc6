"""What hosts and nodes tell each other of dictionaries.

tenant ──Offer──▶ its node ──Offer──▶ next node          a dictionary, as the tenant signed it
◀──Taken──          ◀───Has───                     from then on it is used
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import Address

NUMBERS = 0x8000
"""A dictionary of version n has the number 0x8000 + n: below are those that are registered."""
MAX_DICTIONARY_BYTES = 32_768
_MAGIC = b"\x37\xa4\x30\xec"
_SAYS = b"ei compression dictionary 1\0"

Tenant = Annotated[bytes, Meta(min_length=16, max_length=16)]
Service = Annotated[int, Meta(ge=2, le=2**32 - 1)]
Version = Annotated[int, Meta(ge=1, le=2**31 - NUMBERS - 1)]


class Dictionary(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a tenant signs.

    Attributes:
        tenant: Whose payloads it compresses.
        service: Of the packets that carry them.
        version: 1 and up; a newer one takes the place of all before it.
        trained: As `zstd --train` writes it, with the number `NUMBERS + version`.
    """

    tenant: Tenant
    service: Service
    version: Version
    trained: Annotated[bytes, Meta(min_length=8, max_length=MAX_DICTIONARY_BYTES)]

    @property
    def number(self) -> int:
        """What frames call it."""
        return NUMBERS + self.version

    @property
    def name(self) -> bytes:
        """Of the object that has it: of this tenant and service alone."""
        return name_of(Address(self.tenant), self.service)

    @property
    def is_one(self) -> bool:
        """Whether it begins like a dictionary of this version."""
        return self.trained.startswith(_MAGIC + self.number.to_bytes(4, "little"))


def name_of(tenant: Address, service: int) -> bytes:
    """Return the name of the object of a tenant's dictionaries for a service."""
    return tenant + service.to_bytes(4, "big")


class Offer(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """A host to its node, or a node to the next: use this from now on.

    Attributes:
        statement: A `Dictionary`, exactly as it was signed.
        key: Ed25519 key of the tenant, which its address names.
        signature: Over `said(statement)`.
    """

    statement: Annotated[bytes, Meta(max_length=MAX_DICTIONARY_BYTES + 64)]
    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Taken(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """A node to who offered a dictionary: what became of it.

    Attributes:
        tenant, service, version: Of the dictionary.
        reason: Empty, or why it is not taken: bad_signature, bad_dictionary, not_yours, too_soon,
            superseded or full; or that it was forgotten, since no packet needed it for a day.
    """

    tenant: bytes
    service: int
    version: int
    reason: str = ""


class Has(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2, forbid_unknown_fields=True
):
    """A node to the one that offered a dictionary: I decompress by it.

    Attributes:
        tenant, service, version: Of the dictionary.
        ratio: Most times that a payload may be as long as its frame, for this node to take it.
        limit_bytes: Longest payload that it takes.
    """

    tenant: Tenant
    service: Service
    version: Version
    ratio: Annotated[int, Meta(ge=1, le=1_000)]
    limit_bytes: Annotated[int, Meta(ge=1, le=65_000)]


def said(statement: bytes) -> bytes:
    """Return what the tenant signs of a statement."""
    return _SAYS + statement
