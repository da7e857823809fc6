"""What a service can ask, and what it gets: verified, without its signatures.

Where hosts and groups are the directory says; which peer leads there, the routing between domains;
and what the node's own key is to sign, the node.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk.packets import Address, domain_number_of
from ei.sdk.signatures import is_signed_by

EVERYBODY = 0
"""In the place of the number of a domain: no domain has it."""

STATEMENT_TAG = b"ei node statement 1\0"

Number = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Domains = Annotated[tuple[Number, ...], Meta(max_length=8)]


class AttachmentOf(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Where is this host attached right now?"""

    host: Address


class GroupOf(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """What is known of this group?"""

    group: Address


class RouteTo(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Which peers lead to this domain?

    Attributes:
        domain: Its number.
        avoid: Domains that no packet may pass, at most 8.
        require: Domains that it must pass, in any order, at most 8.
        came_from: Domain that handed the packet over, which gets no more than what was announced
            to it; 0 for packets of this domain's own.
    """

    domain: Number
    avoid: Domains = ()
    require: Domains = ()
    came_from: Number = 0


class ServiceAt(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Which peers lead to the nearest node that runs this service?"""

    service: Number


class OwnStatement(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Please sign this as what the service that asks says on this node.

    Attributes:
        body: The service's own bytes, at most 960.
    """

    body: Annotated[bytes, Meta(max_length=960)]


class OperatorOf(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """Who runs this domain? Answered by what governance says, not by the domain."""

    domain: Number


class NodeAt(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """Is this a node? Its address does not tell it from a host's: its domain says so, signed."""

    address: Address


Query = AttachmentOf | GroupOf | RouteTo | ServiceAt | OwnStatement | OperatorOf | NodeAt


class Attachment(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """A host and the nodes it is attached to, the preferred one first."""

    host: Address
    nodes: tuple[Address, ...]


class Group(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A group, and the nodes at which its members meet.

    Attributes:
        nodes: The preferred one first.
        senders, members: Who may send to it, and who may join: numbers of domains, 0 for
            everybody, and addresses of hosts.
    """

    group: Address
    nodes: tuple[Address, ...]
    senders: tuple[int | bytes, ...] = (EVERYBODY,)
    members: tuple[int | bytes, ...] = (EVERYBODY,)

    def may_send(self, host: Address) -> bool:
        """Return whether a host may send to it."""
        return _is_among(host, self.senders)

    def may_join(self, host: Address) -> bool:
        """Return whether a host may belong to it."""
        return _is_among(host, self.members)


def _is_among(host: Address, allowed: tuple[int | bytes, ...]) -> bool:
    return EVERYBODY in allowed or domain_number_of(host) in allowed or host in allowed


class Route(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Peers that lead where was asked, the preferred one first; the others are backups."""

    hops: tuple[Address, ...]


class NodeStatement(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """What a service on a node says, signed by that node; anybody can verify it.

    Attributes:
        node: Who signed.
        service: Number of the service.
        body: What it says, 0 to 960 bytes.
        identity_key: Of the node, which its address names; 32 bytes.
        signature: Ed25519, over `stated(node, service, body)`; 64 bytes.
    """

    node: Address
    service: Number
    body: Annotated[bytes, Meta(max_length=960)]
    identity_key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]

    def is_true(self) -> bool:
        """Return whether the node that it names did sign it."""
        message = stated(self.node, self.service, self.body)
        return is_signed_by(message, self.signature, self.node, self.identity_key)


def stated(node: Address, service: int, body: bytes) -> bytes:
    """Return what a node signs for a service.

    tag 20 B | node 16 B | service u32 little-endian | body
    """
    return STATEMENT_TAG + node + service.to_bytes(4, "little") + body


class Operator(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Who runs a domain.

    Attributes:
        domain: Its number.
        name: Of the operator; that of the domain when it is run by nobody who runs another.
        is_own: The same operator runs the domain of the node that answers.
    """

    domain: int
    name: str
    is_own: bool


class Node(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """A node, as its domain has signed it.

    Attributes:
        address: Its own.
        services: Numbers of those that it offers.
    """

    address: Address
    services: tuple[Number, ...]


Record = Attachment | Group | Route | NodeStatement | Operator | Node
