"""What a host says of itself: typed, from its stack."""

from collections import Counter

import msgspec

from ei.host.stack import Stack
from ei.records.addresses import format_address
from ei.records.expiry import Expiring, find_expiring


class AttachmentStatus(msgspec.Struct, frozen=True):
    """One node of the host. `rtt_s` is `None` while it is not known."""

    node: str
    is_up: bool
    is_used: bool
    rtt_s: float | None


class HostStatus(msgspec.Struct, frozen=True):
    """A host at one moment.

    Attributes:
        sent, received: Frames and packets by kind.
        dropped: What this host dropped, by reason: its datapath, its stack, and what applications
            did not take.
        socket_overflows: Datagrams that found the buffer of the host's socket full: no fate.
        expiring: What this host stands on that ends within 30 days, the soonest first.
        is_registered: The directory of its home has said that it knows where the host is attached.
        circuits: That are open, or being opened.
    """

    name: str
    address: str
    endpoint: str
    attachments: tuple[AttachmentStatus, ...]
    sent: dict[str, int]
    received: dict[str, int]
    dropped: dict[str, int]
    socket_overflows: int = 0
    expiring: tuple[Expiring, ...] = ()
    is_registered: bool = False
    circuits: int = 0

    @property
    def summary(self) -> str:
        """One line for people."""
        up = [attachment for attachment in self.attachments if attachment.is_up]
        via = next((found.node for found in up if found.is_used), "no node")
        return f"{self.name}: {len(up)} of {len(self.attachments)} nodes up, using {via}"


class _Peer(msgspec.Struct, frozen=True):
    rtt_s: float | None = None


class _Statistics(msgspec.Struct, frozen=True):
    dropped: dict[str, int] = {}
    peers: dict[str, _Peer] = {}


def host_status(
    stack: Stack,
    endpoint: str,
    *,
    undelivered: Counter[str],
    socket_overflows: int = 0,
    unix_s: float = 0.0,
) -> HostStatus:
    """Return the status of the host of `stack`.

    Args:
        endpoint: Where it receives.
        undelivered: What applications did not take, by reason.
        socket_overflows: Datagrams that the transport lost.
    """
    counted = msgspec.convert(stack.datapath.statistics(), _Statistics)
    own = stack.statistics()
    dropped = Counter(own.dropped) + Counter(counted.dropped) + undelivered
    return HostStatus(
        name=stack.identity.name,
        address=format_address(stack.identity.address),
        endpoint=endpoint,
        attachments=tuple(
            AttachmentStatus(
                node=stack.records.name_of(node),
                is_up=node in stack.attachments.up,
                is_used=node == stack.attachments.via,
                rtt_s=counted.peers.get(node.hex(), _Peer()).rtt_s,
            )
            for node in stack.attachments.nodes
        ),
        sent=own.sent,
        received=own.received,
        dropped=dict(dropped),
        expiring=find_expiring(
            stack.records,
            name=stack.identity.name,
            address=stack.identity.address,
            unix_s=unix_s,
        ),
        socket_overflows=socket_overflows,
        is_registered=stack.is_registered,
        circuits=stack.circuits.open_count,
    )
