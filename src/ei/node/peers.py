"""Whom a node knows: every other node, and the hosts that are attached to it."""

from dataclasses import dataclass
from typing import Literal

from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

MAX_PEERS = 131_072
"""As many as a datapath holds (`max_peers` of its `PipesConfig`)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What the datapath is told of one peer."""

    pipe_key: bytes
    kind: Literal["node", "host"]
    endpoint: str | None


def peers_of(node: Address, records: RecordSet) -> dict[Address, Peer]:
    """Return the peers of `node`. Hosts have no endpoint: they call."""
    peers = {
        address: Peer(record.pipe_key, "node", record.endpoints[0])
        for address, record in records.nodes.items()
        if address != node
    }
    for host, attachment in records.attachments.items():
        if node in attachment.nodes:
            peers[host] = Peer(records.enrolments[host].pipe_key, "host", None)
    return peers
