"""The pure core of a service node: what it tells its datapath, and what it answers.

node = Node(config, keys=..., records=..., manifests=..., datapath=...)
node.start()                                services, chains, peers, guards
left = node.handle_notices(now_s=..., unix_s=...)     what is asked is answered, the rest comes back
node.poll(now_s=..., unix_s=...)            at `next_deadline_s()`: directory and routing
node.update(records, config)                new ones: what changed is changed
node.check_ages(unix_s=...)                 what is stale opens no new pipe
node.status()
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import msgspec

from ei.attachment import ATTACHMENT, Explain, Explained, Guard, Moved, decode
from ei.attachment import Draining as DrainingMessage
from ei.bundles import Rows
from ei.directory import Store
from ei.errors import LimitError, LocalError, PeerError
from ei.node.config import NodeConfig
from ei.node.control import ControlPlane
from ei.node.datapath import DatapathControl
from ei.node.draining import Drained, Draining, Passed
from ei.node.explaining import Explaining
from ei.node.guarding import Guarding
from ei.node.identity import check_identity
from ei.node.notices import (
    CheckpointHeard,
    DatapathFailed,
    NodeNotice,
    PeerMoved,
    WorkerFailed,
)
from ei.node.peers import MAX_PEERS, Peer, peers_of
from ei.node.policy import TrafficPolicy, check_guards
from ei.node.running_services import RunningServices
from ei.node.status import FRESH, Ages, NodeStatus, node_status
from ei.node.traces import Traces
from ei.records.addresses import domain_number_of
from ei.records.expiry import find_expiring
from ei.records.keys import Keys
from ei.records.record_set import RecordSet
from ei.records.revocation import stale_domains
from ei.routing import Atlas
from ei.sdk.manifest import Manifest
from ei.sdk.packets import Address

REGISTRY = 4
"""The number under which nodes tell one another what the log of a registry says."""


class Node:
    """One service node.

    Args:
        config: Checked.
        keys: The node's own; the record of them must be in `records`.
        records: Who the others are.
        manifests, bundles: Of the services that run here, and what is expanded, as `config` says.
        datapath: Gets all commands.
        store: Of attachments that hosts register; by default they end with the process.
        atlas: Of `records`, if several nodes of a process share it.

    Raises:
        ConfigError: the records do not know this node, or know another pipe key of it; a guarded
            host is not attached here; a service has no manifest, or the number of another.
        LimitError: more peers than a datapath holds.
    """

    def __init__(  # noqa: PLR0913 all that it is made of
        self,
        config: NodeConfig,
        *,
        keys: Keys,
        records: RecordSet,
        manifests: Sequence[Manifest],
        bundles: Sequence[Rows] = (),
        datapath: DatapathControl,
        store: Store | None = None,
        atlas: Atlas | None = None,
    ) -> None:
        self._config = config
        self._address = keys.address(config.domain_number)
        self._pipe_key = keys.pipe_key
        self._records = records
        self._services = RunningServices(config, manifests, datapath, bundles=bundles)
        self._datapath = datapath
        self._peers: dict[Address, Peer] = {}
        self._guards = Guarding(self._address, datapath.set_guards)
        self._unix_s = 0.0
        self._up: set[Address] = set()
        self._held: set[int] = set()
        self._policy = TrafficPolicy(datapath)
        self._ages = FRESH
        self.draining = Draining(datapath)
        by_number = self._services.by_number
        self.traces = Traces(config.name, by_number, take=datapath.take_traces)
        self._explaining = Explaining(
            keys,
            self._address,
            traces=self.traces,
            manifests=by_number,
            bundles=self._services.bundles,
            wanted_by=self._guards.wanted_by,
            explains=config.explains,
        )
        self._check(records, config)
        self.control = ControlPlane(
            keys=keys,
            address=self._address,
            records=records,
            neighbours=config.relations,
            offers=self._services.offers,
            datapath=datapath,
            attachment_limit_s=config.attachment_limit_s,
            store=store,
            atlas=atlas,
        )

    @property
    def address(self) -> Address:
        """The node's own address."""
        return self._address

    @property
    def config(self) -> NodeConfig:
        """The configuration in use."""
        return self._config

    @property
    def services(self) -> RunningServices:
        """What runs here."""
        return self._services

    @property
    def records(self) -> RecordSet:
        """The records in use."""
        return self._records

    def start(self, *, unix_s: float = 0.0) -> None:
        """Tell the datapath about services, chains, peers and guards.

        Args:
            unix_s: Now; by default so long ago that nothing has grown old.
        """
        self._unix_s = unix_s
        self._services.start(self._config.chains)
        self._use(self._records)

    def update(self, records: RecordSet, config: NodeConfig | None = None) -> None:
        """Go over to a new record set: all of it or, on an error, nothing.

        Args:
            config: Differs from the one in use at most in what `ei.node.reloading` can change;
                by default the one in use.

        Raises:
            ConfigError, LimitError: as the constructor.
        """
        config = self._config if config is None else config
        self._check(records, config)
        if config.internet != self._config.internet:
            self._datapath.set_internet(list(config.internet.allow))
        self._config = config
        self._explaining.explains = config.explains
        self._use(records)

    def renew(self, manifest: Manifest, *, now_s: float) -> None:
        """Go over to another version of a service, whose worker is paused or gone.

        What waits for it stays; what the old version decided is void.

        Raises:
            ConflictError: it is no version of a service that runs here.
        """
        self._services.renew(manifest)
        self.control.set_offers(self._services.offers, now_s=now_s)

    def check_ages(self, *, unix_s: float) -> None:
        """Take note of what time it is; to be called every few seconds.

        A domain whose list of revoked keys has grown too old opens no new pipe with this node, nor
        this node with it, until a newer list comes. Pipes that are up stay.
        """
        self._unix_s = unix_s
        if self._stale_in(self._records).keys() != self._ages.stale.keys():
            self._use(self._records)
        else:
            self._ages = self._ages_with(self._ages.held_peers)

    def poll(self, *, now_s: float, unix_s: float) -> None:
        """Do what directory and routing have to do by themselves."""
        self.control.poll(now_s=now_s, unix_s=unix_s)

    def next_deadline_s(self) -> float:
        """Return when `poll` has something to do; infinity for never."""
        return self.control.next_deadline_s()

    def handle_notices(  # noqa: C901 one case for each notice
        self, *, now_s: float, unix_s: float
    ) -> list[NodeNotice]:
        """Answer what the datapath asks; return what the shell should know.

        Args:
            now_s, unix_s: Monotonic and wall clock.
        """
        left: list[NodeNotice] = []
        for notice in self._datapath.take_notices():
            match notice:
                case ("control", sender, service, message):  # hosts wait for answers: before others
                    if service == ATTACHMENT:
                        self._hear(Address(sender), message, now_s=now_s, unix_s=unix_s)
                    elif service == REGISTRY:
                        left.append(CheckpointHeard(Address(sender), message))
                    else:
                        self.control.take(
                            Address(sender), service, message, now_s=now_s, unix_s=unix_s
                        )
                case ("resolve", service, query):
                    self.control.resolve(service, query, now_s=now_s, unix_s=unix_s)
                case (("peer_up" | "peer_down") as kind, peer):
                    is_up = kind == "peer_up"
                    left.append(self._take_move(Address(peer), is_up=is_up))
                    self.control.peer_changed(
                        Address(peer), is_up=is_up, now_s=now_s, unix_s=unix_s
                    )
                case (("worker_lost" | "worker_slow") as kind, service):
                    left.append(WorkerFailed(self._services.name_of(service), kind))
                case ("stream_key_wanted", peer):
                    self._datapath.set_stream_peer(peer, self._records.identity_key_of(peer))
                case ("failed", reason):
                    left.append(DatapathFailed(reason))
        return left

    def _hear(self, sender: Address, message: bytes, *, now_s: float, unix_s: float) -> None:
        """Take a message about attachments; one that it does not know changes nothing."""
        with suppress(PeerError):
            match decode(message):
                case (DrainingMessage() | Moved()) as said:
                    self.draining.take(sender, said)
                    if isinstance(said, DrainingMessage):
                        self.control.peer_leaves(sender, now_s=now_s, unix_s=unix_s)
                case Guard(envelope):
                    self._guards.take(sender, envelope, unix_s=self._unix_s)
                case (Explain() | Explained()) as said:
                    sends = self._explaining.take(now_s, sender, said, records=self._records)
                    for peer, answer in sends:
                        with suppress(ValueError):  # who asks is not told, and finds that unknown
                            self._datapath.send_control(peer, ATTACHMENT, answer)

    def tell_nodes(self, message: bytes) -> None:
        """Tell all nodes whose pipe is up what the log of a registry says."""
        for peer in self._up:
            if self._peers[peer].kind == "node":
                with suppress(ValueError):  # so much waits for it already: others tell it
                    self._datapath.send_control(peer, REGISTRY, message)

    def say(self, peer: Address, service: int, message: bytes) -> None:
        """Send a control message that the node would not send by itself.

        Raises:
            LocalError: the peer is not known, or it cannot be sent.
        """
        try:
            self._datapath.send_control(peer, service, message)
        except ValueError as error:
            raise LocalError(
                f"nothing was said to {self._records.name_of(peer)}: {error}"
            ) from error

    # -- the end ----------------------------------------------------------------------------------

    def drain(self, now_s: float, *, grace_s: float, spread_s: float) -> None:
        """Begin to stop without loss; see `ei.node.draining`.

        Args:
            now_s: Monotonic time.
            grace_s: Longest wait for peers to move, after the last was told.
            spread_s: Time over which hosts are told.

        Raises:
            ConflictError: it drains already.
        """
        peers: dict[Address, Literal["node", "host"]] = {
            peer: known.kind for peer, known in self._peers.items() if peer in self._up
        }
        self.draining.begin(now_s, grace_s=grace_s, spread_s=spread_s, peers=peers)

    def step_drain(self, now_s: float, *, owned: int = 0) -> Drained | None:
        """Go on with it; to be called every few milliseconds. Return how it ended, once it has.

        Args:
            owned: States of a cluster that have not passed to another member yet.
        """
        counted = msgspec.convert(self._datapath.statistics(), Passed)
        _ = self.draining.step(now_s, carried=counted.carried, waiting=counted.inside + owned)
        return self.draining.outcome

    def close(self) -> None:
        """Close all pipes with a word, so that no peer learns it by silence; open none again."""
        for peer in self._up:
            self._datapath.close_peer(peer)
        for peer in self._peers:
            self._datapath.remove_peer(peer)
        self._peers = {}

    def status(self) -> NodeStatus:
        """Return what `ei status` shows."""
        return node_status(
            self._config.name,
            self._address,
            statistics=self._datapath.statistics(),
            manifests=self._services,
            peers=self._peers,
            records=self._records,
            refused_messages=self.control.refused + self._explaining.refused + self._guards.refused,
            ages=self._ages,
            drain=self.draining.status(),
            refused_peers=self._policy.refused,
            route_entries=self.control.router.statistics().routes,
            internet=self._config.internet.allow,
        )

    def _take_move(self, peer: Address, *, is_up: bool) -> PeerMoved:
        self.draining.take_move(peer, is_up=is_up)
        if is_up:
            self._up.add(peer)
        else:
            self._up.discard(peer)
            if domain_number_of(peer) in self._held and self._peers.pop(peer, None) is not None:
                self._datapath.remove_peer(peer)
                self._ages = self._ages_with(self._ages.held_peers + 1)
        return PeerMoved(peer, self._records.name_of(peer), is_up)

    def _check(self, records: RecordSet, config: NodeConfig) -> None:
        check_identity(config, records, self._address, self._pipe_key)
        if (count := len(self._all_peers_in(records))) > MAX_PEERS:
            name = config.name
            raise LimitError(f"the records make {count} peers of {name}, allowed are {MAX_PEERS}")
        check_guards(config, records, self._address)

    def _use(self, records: RecordSet) -> None:
        stale = self._stale_in(records)
        held = {records.domains[domain].number for domain in stale if domain in records.domains}
        known = self._all_peers_in(records)
        peers = {
            address: peer
            for address, peer in known.items()
            if address in self._up or not held or domain_number_of(address) not in held
        }
        for address, peer in self._peers.items():
            # A key may have moved to another peer: it is free once who had it is gone.
            if address not in peers or peers[address].pipe_key != peer.pipe_key:
                self._datapath.remove_peer(address)
        self.control.use(records, self._config.relations)
        called = self._called(records)
        for address, peer in peers.items():
            if self._peers.get(address) != peer:
                self._datapath.add_peer(
                    address, peer.pipe_key, kind=peer.kind, endpoint=peer.endpoint
                )
                if address in called:
                    # Both ends call: whichever starts last finds the other there.
                    self._datapath.dial(address)
        self._policy.use(peers, self._config, records)
        guards = {
            records.names[host]: self._services.numbers(services)
            for host, services in self._config.guards.items()
        }
        self._guards.use(records, guards, peers)
        self._records, self._peers, self._held = records, peers, held
        self._ages = self._ages_with(len(known) - len(peers))

    def _called(self, records: RecordSet) -> set[Address]:
        """Return the nodes to hold a pipe with."""
        relations = self._config.relations
        numbers = {
            records.domains[name].number for name in relations or () if name in records.domains
        }
        numbers.add(self._config.domain_number)
        near = {
            node for node in records.nodes if relations is None or domain_number_of(node) in numbers
        }
        return near if relations or len(near) - 1 <= self._config.mesh_nodes else set()

    def _stale_in(self, records: RecordSet) -> dict[str, float]:
        return stale_domains(
            records.revocations, unix_s=self._unix_s, limit_s=self._config.revocation_limit_s
        )

    def _ages_with(self, held_peers: int) -> Ages:
        name, address = self._config.name, self._address
        soon = find_expiring(self._records, name=name, address=address, unix_s=self._unix_s)
        return Ages(self._stale_in(self._records), held_peers, soon)

    def _all_peers_in(self, records: RecordSet) -> dict[Address, Peer]:
        return peers_of(self._address, records, binds=self._config.binds)
