"""Whose packets a node takes, and the line of `node.toml` that would let in what it refuses. Pure.

Under the policy `strict`, the default, packets come from the own domain, from nodes of
`neighbours` and from hosts of `guests`; under `lab-permissive` from everybody who is known. Control
messages pass: directory and routing prove for themselves what they say.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from ei.errors import ConfigError
from ei.node.config import NodeConfig
from ei.node.peers import Peer
from ei.records.addresses import domain_number_of
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

if TYPE_CHECKING:
    from ei.node.status import PeerStatus

AGAIN_S = 60.0
"""One who is refused all the time is said once in so long."""


class CarryControl(Protocol):
    """What is asked of the datapath."""

    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None: ...


def refused_peers(
    peers: Mapping[Address, Peer], config: NodeConfig, records: RecordSet
) -> dict[Address, str]:
    """Return the peers whose packets are refused, and for each the line that would allow them."""
    if config.policy == "lab-permissive":
        return {}
    names = {record.number: name for name, record in records.domains.items()}
    own = config.name.partition(".")[2]
    refused: dict[Address, str] = {}
    for address, peer in peers.items():
        domain = names.get(domain_number_of(address), "")
        allowed = config.neighbours if peer.kind == "node" else config.guests
        if domain != own and domain not in allowed:
            refused[address] = _line(domain, peer, config)
    return refused


class TrafficPolicy:
    """Tells a datapath whose packets to take.

    Attributes:
        refused: The peers whose packets it does not take, and the line that would allow them.
    """

    def __init__(self, control: CarryControl) -> None:
        self._control = control
        self.refused: dict[Address, str] = {}

    def use(self, peers: Mapping[Address, Peer], config: NodeConfig, records: RecordSet) -> None:
        """Go over to other peers, another configuration or other records."""
        before, self.refused = self.refused, refused_peers(peers, config, records)
        for peer in peers:
            if peer in before or peer in self.refused:
                self._control.set_peer_carried(peer, is_carried=peer not in self.refused)


def check_guards(config: NodeConfig, records: RecordSet, own: Address) -> None:
    """Check that guards stand before pipes to hosts that are attached here, or to other nodes.

    Raises:
        ConfigError: names the one that is neither.
    """
    for guarded in config.guards:
        address = records.names.get(guarded, own)
        attachment = records.attachments.get(address)
        is_here = attachment is not None and own in attachment.nodes
        if not is_here and address not in records.nodes.keys() - {own}:
            raise ConfigError(
                f"guards: {guarded!r} is not attached to {config.name}, nor another node",
                remedy="Guards run at the nodes that the host's attachment names.",
            )


def foreign_domains(config: NodeConfig, records: RecordSet) -> list[str]:
    """Return the known domains whose nodes bring nothing here."""
    own = config.name.partition(".")[2]
    if config.policy == "lab-permissive":
        return []
    return sorted(name for name in records.domains if name not in {own, *config.neighbours})


def neighbour_line(domain: str) -> str:
    """Return what a configuration says to make a domain a peer: table and line."""
    return f'[neighbours] {domain} = "peer"'


def _line(domain: str, peer: Peer, config: NodeConfig) -> str:
    if peer.kind == "node":
        return neighbour_line(domain)
    guests = ", ".join(f'"{guest}"' for guest in (*config.guests, domain))
    return f"guests = [{guests}]"


class RefusalWarnings:
    """Says whose packets were refused: each peer once a minute at most."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, int]] = {}

    def due(self, peers: Iterable["PeerStatus"], *, unix_s: float) -> list["PeerStatus"]:
        """Return the peers to tell of now."""
        found: list[PeerStatus] = []
        for peer in peers:
            told_s, told = self._told.get(peer.address, (0.0, 0))
            # A clock that was set back would else be silent until it has caught up.
            if peer.refused > told and abs(unix_s - told_s) >= AGAIN_S:
                self._told[peer.address] = (unix_s, peer.refused)
                found.append(peer)
        return found
