"""What a service can ask the directory, and what it gets: verified, without its signatures."""

import msgspec

from ei.sdk.packets import Address


class AttachmentOf(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Where is this host attached right now?"""

    host: Address


class GroupOf(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """What is known of this group?"""

    group: Address


Query = AttachmentOf | GroupOf


class Attachment(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """A host and the nodes it is attached to, the preferred one first."""

    host: Address
    nodes: tuple[Address, ...]


class Group(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A group and the nodes at which its members meet, the preferred one first."""

    group: Address
    nodes: tuple[Address, ...]


Record = Attachment | Group
