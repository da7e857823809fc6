"""The services that are the node's own: directory and routing, and who asked them what.

They hold the node's key and the roots of trust, so they are no modules (decision 0100); what the
modules of this node resolve is answered here, and answered again when it changes.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from random import Random
from typing import assert_never

import msgspec

from ei.cluster.messages import SERVICE as CLUSTER
from ei.directory import DIRECTORY, Directory, asked_with, query_of
from ei.directory import Query as DirectoryQuery
from ei.directory.places import Ways
from ei.directory.services import answer_of
from ei.directory.stores import Store
from ei.directory.uses import Resolution
from ei.node.datapath import DatapathControl
from ei.records.keys import Keys
from ei.records.kinds import AnyRecord, AttachmentRecord, GroupRecord
from ei.records.operators import operator_of
from ei.records.record_set import RecordSet
from ei.records.stating import state
from ei.routing import ROUTING, Atlas, Changes, Offer, Policy, Router, read_policy
from ei.routing.policy import Word
from ei.sdk.packets import Address, domain_number_of
from ei.sdk.records import (
    AttachmentOf,
    GroupOf,
    Node,
    NodeAt,
    Operator,
    OperatorOf,
    OwnStatement,
    Query,
    Record,
    Route,
    RouteTo,
    ServiceAt,
)

MAX_QUERIES = 65_536
MEASURE_S = 10.0
ASKED_S = 60.0
"""Who asked is told of changes for so long: decisions live for less, and then it asks again."""

_queries: msgspec.msgpack.Decoder[Query] = msgspec.msgpack.Decoder(Query)


class _Counts(msgspec.Struct, frozen=True):
    rtt_s: float | None = None


class _Statistics(msgspec.Struct, frozen=True):
    peers: dict[str, _Counts] = {}


class ControlPlane:
    """Directory and routing of one node.

    Args:
        keys: The node's own.
        address: The node's own.
        records: Of all domains and nodes, and of the own domain's hosts.
        neighbours: Domain name to what it is to this one; `None` makes every domain a direct peer.
        offers: The services that run here.
        datapath: Carries what is sent, and gets the answers.
        attachment_limit_s: Longest time that an attachment may still have to live.
        store: Of registered attachments.
        atlas: Of `records`, if several nodes share it.
    """

    def __init__(  # noqa: PLR0913 all that it rests on
        self,
        *,
        keys: Keys,
        address: Address,
        records: RecordSet,
        neighbours: Mapping[str, Word] | None,
        offers: tuple[Offer, ...],
        datapath: DatapathControl,
        attachment_limit_s: int,
        store: Store | None = None,
        atlas: Atlas | None = None,
    ) -> None:
        self._keys = keys
        self._address = address
        self._domain = domain_number_of(address)
        self._records = records
        self._atlas = Atlas(records) if atlas is None else atlas
        self._datapath = datapath
        self._owners: Mapping[int, Address] = {}
        self._waiting: tuple[RecordSet, Policy | None] | None = None
        self._asked: OrderedDict[Query, dict[int, float]] = OrderedDict()
        self._told: dict[Query, Record | None] = {}
        self._directory_due_s = self._routing_due_s = 0.0
        self._measure_s = 0.0
        self.dropped: Counter[str] = Counter()
        self.on_cluster: Callable[[Address, bytes], object] | None = None
        self.directory = Directory(
            keys=keys,
            address=address,
            records=records,
            attachment_limit_s=attachment_limit_s,
            store=store,
            ways=Ways(self._domains_towards, self._is_led),
        )
        self.router = Router(
            keys=keys,
            domain_number=self._domain,
            atlas=self._atlas,
            policy=_policy(neighbours),
            random=Random(address),  # of delays: the same for a node in every run
            offers=offers,
        )

    # -- what happens -----------------------------------------------------------------------------

    def use(self, records: RecordSet, neighbours: Mapping[str, Word] | None) -> None:
        """Go over to new records and neighbours with the next thing that happens."""
        self._waiting = (records, _policy(neighbours))

    def set_offers(self, offers: tuple[Offer, ...], *, now_s: float) -> None:
        """Say which services this node runs from now on."""
        self.router.set_offers(offers, now_s=now_s)
        self._routing_due_s = self.router.next_deadline_s()

    def take(
        self, sender: Address, service: int, message: bytes, *, now_s: float, unix_s: float
    ) -> None:
        """Take a control message; whatever it is, it raises nothing."""
        if service == DIRECTORY:
            sends = self.directory.take(sender, message, now_s=now_s, unix_s=unix_s)
            self._settle(DIRECTORY, sends, now_s=now_s, unix_s=unix_s)
        elif service == ROUTING:
            sends = self.router.take(sender, message, now_s=now_s, unix_s=unix_s)
            self._settle(ROUTING, sends, now_s=now_s, unix_s=unix_s)
        elif service == CLUSTER and self.on_cluster is not None:
            _ = self.on_cluster(sender, message)
        else:
            self.dropped["unknown_service"] += 1

    def peer_changed(self, peer: Address, *, is_up: bool, now_s: float, unix_s: float) -> None:
        """Take it that a pipe came up or went down."""
        self._go_over(now_s=now_s, unix_s=unix_s)
        sends = self.router.peer_changed(peer, is_up=is_up, now_s=now_s)
        self._settle(ROUTING, sends, now_s=now_s, unix_s=unix_s)
        sends = self.directory.peer_changed(peer, is_up=is_up, now_s=now_s, unix_s=unix_s)
        self._settle(DIRECTORY, sends, now_s=now_s, unix_s=unix_s)

    def peer_leaves(self, peer: Address, *, now_s: float, unix_s: float) -> None:
        """Take it that a node will be gone in a moment."""
        self.router.peer_leaves(peer, now_s=now_s)
        self._settle(ROUTING, [], now_s=now_s, unix_s=unix_s)

    def poll(self, *, now_s: float, unix_s: float) -> None:
        """Do what is due."""
        self._go_over(now_s=now_s, unix_s=unix_s)
        if self.directory.next_deadline_s() <= now_s:
            sends = self.directory.poll(now_s=now_s, unix_s=unix_s)
            self._settle(DIRECTORY, sends, now_s=now_s, unix_s=unix_s)
        sends = []
        if self.router.next_deadline_s() <= now_s:
            self._measure(now_s=now_s)
            sends = self.router.poll(now_s=now_s, unix_s=unix_s)
        self._settle(ROUTING, sends, now_s=now_s, unix_s=unix_s)

    def _go_over(self, *, now_s: float, unix_s: float) -> None:
        """Use the records that wait, before a pipe with somebody in them comes up."""
        if self._waiting is not None:
            (records, policy), self._waiting = self._waiting, None
            # The same ones at the start of every node: a thousand in a process share what they say.
            atlas = self._atlas if records is self._records else Atlas(records)
            self._atlas, self._records = atlas, records
            sends = self.router.update(atlas, policy, now_s=now_s, unix_s=unix_s)
            self._settle(ROUTING, sends, now_s=now_s, unix_s=unix_s)
            sends = self.directory.update(records, now_s=now_s, unix_s=unix_s)
            self._settle(DIRECTORY, sends, now_s=now_s, unix_s=unix_s)

    def _measure(self, *, now_s: float) -> None:
        """Have routing know how far its peers are, where it has a choice."""
        if self.router.is_meshed or now_s < self._measure_s:
            return
        self._measure_s = now_s + MEASURE_S
        peers = msgspec.convert(self._datapath.statistics(), _Statistics).peers
        far = {Address(bytes.fromhex(peer)): counts.rtt_s for peer, counts in peers.items()}
        round_trips = {peer: rtt_s for peer, rtt_s in far.items() if rtt_s is not None}
        self.router.measured(round_trips, now_s=now_s)

    def next_deadline_s(self) -> float:
        """Return when `poll` has something to do; infinity for never."""
        return 0.0 if self._waiting else min(self._directory_due_s, self._routing_due_s)

    def set_owners(self, owners: Mapping[int, Address]) -> None:
        """Say which member of this node's cluster has the state of a service."""
        changed = frozenset(service for service, _ in owners.items() ^ self._owners.items())
        self._owners = dict(owners)
        self._tell_changes(Changes(services=changed))

    @property
    def refused(self) -> Counter[str]:
        """Messages and answers that came to nothing, by reason."""
        directory, router = self.directory.statistics(), self.router.statistics()
        return self.dropped + Counter(directory.refused) + Counter(router.refused)

    # -- what is asked ----------------------------------------------------------------------------

    def resolve(self, service: int, encoded: bytes, *, now_s: float, unix_s: float) -> None:
        """Answer what a service asks, now or when it is known.

        Args:
            service: Number of who asks.
            encoded: msgpack of an `ei.sdk.records.Query`, as the environment of a service wrote it.
        """
        try:
            query = _queries.decode(encoded)
        except msgspec.DecodeError:
            self._datapath.resolved(service, encoded, None)
            return
        if isinstance(query, OwnStatement):
            statement = state(self._keys, self._domain, service, query.body)
            self._datapath.resolved(service, encoded, _encoded(statement))
            return
        self._note(query, service, now_s=now_s)
        match query:
            case AttachmentOf() | GroupOf():
                self._ask(query, service, now_s=now_s, unix_s=unix_s)
            case RouteTo() | ServiceAt():
                self._told[query] = route = self._route(query)
                self._datapath.resolved(service, encoded, _encoded(route))
            case OperatorOf(domain):
                self._datapath.resolved(service, encoded, _encoded(self._operator(domain)))
            case NodeAt(address):
                self._datapath.resolved(service, encoded, _encoded(self._node(address)))
            case _:
                assert_never(query)

    def find(self, query: DirectoryQuery, *, now_s: float, unix_s: float) -> Resolution | None:
        """Return what the directory knows, to who asks again in a moment if it does not."""
        found, sends = self.directory.ask(query, now_s=now_s, unix_s=unix_s)
        self._settle(DIRECTORY, sends, now_s=now_s, unix_s=unix_s)
        return found

    # -- inside -----------------------------------------------------------------------------------

    def _settle(
        self, service: int, sends: list[tuple[Address, bytes]], *, now_s: float, unix_s: float
    ) -> None:
        for peer, message in sends:
            try:
                self._datapath.send_control(peer, service, message)
            except ValueError:
                # No such peer, or too much waits for it: the directory asks again by itself.
                self.dropped["control_refused"] += 1
                if service == ROUTING:
                    self.router.not_sent(peer, now_s=now_s)
        # Each host waits for this: a question to the directory leaves routing as it was.
        if service == ROUTING:
            changes = self.router.take_changes()
            if changes.domains or changes.services:
                self._tell_changes(changes)
            self._routing_due_s = self.router.next_deadline_s()
        else:
            for resolution in self.directory.take_answers():
                self._tell_answer(resolution, now_s=now_s, unix_s=unix_s)
            self._directory_due_s = self.directory.next_deadline_s()

    def _tell_changes(self, changes: Changes) -> None:
        for query in list(self._asked):
            match query:
                case RouteTo(domain) if domain in changes.domains:
                    self._tell_again(query)
                case ServiceAt(number) if number in changes.services:
                    self._tell_again(query)
                case _:
                    pass

    def _note(self, query: Query, service: int, *, now_s: float) -> None:
        self._asked.setdefault(query, {})[service] = now_s
        self._asked.move_to_end(query)
        while self._asked:
            oldest, by = next(iter(self._asked.items()))
            if len(self._asked) <= MAX_QUERIES and max(by.values()) > now_s - ASKED_S:
                break
            del self._asked[oldest]
            _ = self._told.pop(oldest, None)

    def _ask(
        self, query: AttachmentOf | GroupOf, service: int, *, now_s: float, unix_s: float
    ) -> None:
        found = self.find(query_of(query), now_s=now_s, unix_s=unix_s)
        if found is not None:
            self._tell(query, found.record, [service], now_s=now_s, unix_s=unix_s)

    def _tell_answer(self, resolution: Resolution, *, now_s: float, unix_s: float) -> None:
        query = asked_with(resolution.query)
        if query is None:
            return
        services = [
            service
            for service, asked_s in self._asked.get(query, {}).items()
            if asked_s > now_s - ASKED_S
        ]
        self._tell(query, resolution.record, services, now_s=now_s, unix_s=unix_s)

    def _tell(
        self,
        query: Query,
        record: AnyRecord | None,
        services: list[int],
        *,
        now_s: float,
        unix_s: float,
    ) -> None:
        answer = answer_of(record)
        encoded = msgspec.msgpack.encode(query)
        for service in services:
            if isinstance(record, AttachmentRecord):
                self._tell_ways(record, service)
            elif isinstance(record, GroupRecord):
                self._tell_senders(record, service, now_s=now_s, unix_s=unix_s)
            self._datapath.resolved(service, encoded, _encoded(answer))

    def _tell_ways(self, record: AttachmentRecord, service: int) -> None:
        """Say how the host's nodes are reached before it is asked: one wait instead of two."""
        domains = dict.fromkeys(domain_number_of(node) for node in record.nodes)
        for domain in domains:
            if domain != self._domain:
                query = RouteTo(domain)
                self._told[query] = route = self._route(query)
                by = self._asked.get(AttachmentOf(record.host), {})
                self._note(query, service, now_s=by.get(service, 0.0))
                self._datapath.resolved(service, msgspec.msgpack.encode(query), _encoded(route))

    def _tell_senders(
        self, record: GroupRecord, service: int, *, now_s: float, unix_s: float
    ) -> None:
        """Say where a group's senders are before it is asked, likewise."""
        for sender in record.senders:
            if isinstance(sender, bytes):
                query = AttachmentOf(Address(sender))
                self._note(query, service, now_s=now_s)
                self._ask(query, service, now_s=now_s, unix_s=unix_s)

    def _operator(self, domain: int) -> Operator | None:
        name = operator_of(domain, self._records)
        is_own = name == operator_of(self._domain, self._records)
        return None if name is None else Operator(domain, name, is_own)

    def _node(self, address: Address) -> Node | None:
        record = self._records.nodes.get(address)
        return None if record is None else Node(address, record.services)

    def _tell_again(self, query: RouteTo | ServiceAt) -> None:
        before, now = self._told.get(query), self._route(query)
        if before == now:
            return
        self._told[query] = now
        encoded = msgspec.msgpack.encode(query)
        for service in self._asked[query]:
            self._datapath.resolved(service, encoded, _encoded(now))
        # What was decided to go by the peer that led there is decided anew.
        if isinstance(before, Route) and (now is None or now.hops[:1] != before.hops[:1]):
            self._datapath.revoke_peer(before.hops[0])

    def _domains_towards(self, number: int) -> list[int]:
        route = self.router.route_to(number)
        return [] if route is None else list(dict.fromkeys(path[0] for path in route.paths if path))

    def _is_led(self, number: int, neighbour: int) -> bool:
        if self.router.is_meshed:
            return False
        return self.router.route_to(number, came_from=neighbour) is not None

    def _route(self, query: RouteTo | ServiceAt) -> Route | None:
        match query:
            case RouteTo(domain, avoid, require, came_from):
                found = self.router.route_to(
                    domain, avoid=avoid, require=require, came_from=came_from
                )
            case ServiceAt(service):
                owner = self._owners.get(service)
                if owner is not None:
                    return Route((owner,)) if owner != self._address else None
                found = self.router.service_route(service)
            case _:
                assert_never(query)
        return None if found is None else Route(found.hops)


def _policy(neighbours: Mapping[str, Word] | None) -> Policy | None:
    return None if neighbours is None else read_policy(neighbours)


def _encoded(record: Record | None) -> bytes | None:
    return None if record is None else msgspec.msgpack.encode(record)
