"""Whom a node knows: every other node, and the hosts that are attached to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ei.records.endpoints import first_reachable
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address, domain_number_of

MAX_PEERS = 131_072
"""As many as a datapath holds (`max_peers` of its `PipesConfig`)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What the datapath is told of one peer."""

    pipe_key: bytes
    kind: Literal["node", "host"]
    endpoint: str | None


def peers_of(node: Address, records: RecordSet, *, binds: Sequence[str]) -> dict[Address, Peer]:
    """Return the peers of `node`, which receives at `binds`.

    Every host of its domain may attach here, and those of others whose attachment says so. Hosts
    have no endpoint, nor have nodes that cannot be reached from there: they call.
    """
    peers = {
        address: Peer(record.pipe_key, "node", first_reachable(record.endpoints, own=binds))
        for address, record in records.nodes.items()
        if address != node
    }
    own = domain_number_of(node)
    for host, enrolment in records.enrolments.items():
        attachment = records.attachments.get(host)
        is_guest = attachment is not None and node in attachment.nodes
        if is_guest or domain_number_of(host) == own:
            peers[host] = Peer(enrolment.pipe_key, "host", None)
    return peers
