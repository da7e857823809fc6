"""A node with its hosts, joined without delay: the real datapath under services in one process.

alice ──┐
bob ────┤ node: datapath, services
carol ──┘
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from ei._core import Datapath, public_key
from ei.runtime.inprocess import InProcess
from ei.runtime.loader import LoadedService, datapath_options
from ei.sdk import Query, Record
from ei.testing.playbook import address

NODE = "node"
STEP_NS = 1_000_000
UNIX_S = 1_800_000_000.0


class Received(msgspec.Struct, frozen=True, order=True):
    """A packet as its host got it."""

    host: str
    service: int
    source: bytes
    connection: int
    metadata: bytes
    payload: bytes


class Crossroads:
    """One node that runs services, and hosts that are attached to it.

    Args:
        services: Run at the node, in this process.
        hosts: Names.
        records: What the directory knows; of all else it knows that there is none.
        cache_entries: Of the node's decision cache.
        chains: By number of a service: those that its packets visit, ending with it.
    """

    def __init__(
        self,
        services: Sequence[LoadedService],
        hosts: Sequence[str],
        *,
        records: dict[Query, Record] | None = None,
        cache_entries: int = 1_024,
        chains: dict[int, list[int]] | None = None,
    ) -> None:
        self.now_ns = STEP_NS
        self.services = InProcess(address(NODE), seed=b"1")
        self._records = records or {}
        self._queries: msgspec.msgpack.Decoder[Query] = msgspec.msgpack.Decoder(Query)
        self._ends = {name: _datapath(name, cache_entries) for name in (NODE, *hosts)}
        self._at = {_endpoint(name): end for name, end in self._ends.items()}
        self._received: list[Received] = []
        for name in hosts:
            self._join(name)
        for loaded in services:
            self.node.add_service(loaded.manifest.id, **datapath_options(loaded.manifest))
            self.services.add(loaded)
        for service, chain in (chains or {}).items():
            self.node.set_chain(service, chain)
        self.settle()

    @property
    def node(self) -> Datapath:
        """The node's datapath."""
        return self._ends[NODE]

    def send(
        self,
        host: str,
        service: int,
        *payloads: bytes,
        metadata: bytes = b"",
        connection: int = 1,
    ) -> None:
        """Let a host send packets to its node; they go with `settle`."""
        _ = self._ends[host].send(
            self.now_ns,
            address(NODE),
            service,
            connection,
            metadata,
            list(payloads or (b"",)),
            protection=0,
            is_covered=True,
        )

    def control(self, host: str, service: int, message: object) -> None:
        """Let a host send a control message to its node; it goes with `settle`."""
        encoded = msgspec.msgpack.encode(message)
        self._ends[host].send_control(self.now_ns, address(NODE), service, encoded)

    def settle(self) -> None:
        """Let everything happen that follows, with a millisecond between steps."""
        is_quiet = False
        while not is_quiet:
            is_quiet = not (self.exchange() + self.pump())
            self.now_ns += STEP_NS

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps of 50 ms as between heartbeats."""
        for _ in range(round(seconds * 20)):
            self.now_ns += 50 * STEP_NS
            for end in self._ends.values():
                end.poll(self.now_ns)
            self.settle()

    def take_received(self) -> list[Received]:
        """Return what hosts got since the last call, in an order that says nothing."""
        received, self._received = self._received, []
        return sorted(received)

    # -- single steps ---------------------------------------------------------------------------

    def exchange(self) -> int:
        """Carry every datagram that is on its way; return their number."""
        carried = 0
        for name in self._ends:
            datagrams = self.take_datagrams(name)
            self.carry(name, datagrams)
            carried += len(datagrams)
        for name, end in self._ends.items():
            for _, service, source, connection, metadata, _, _, payloads in end.take_received():
                self._received += [
                    Received(name, service, source, connection, metadata, payload)
                    for payload in payloads
                ]
        return carried

    def take_datagrams(self, name: str) -> list[tuple[str, bytes]]:
        """Take what a host, or the node, has to send: endpoint and datagram."""
        return self._ends[name].take_datagrams()

    def carry(self, name: str, datagrams: list[tuple[str, bytes]]) -> None:
        """Bring datagrams of a host, or of the node, to where they go."""
        source = _endpoint(name)
        for endpoint, datagram in datagrams:
            _ = self._at[endpoint].handle(self.now_ns, source, datagram)

    def pump(self) -> int:
        """Let the services handle what waits, and the directory answer; return the batches."""
        handled = self.services.pump(self.node, self.now_ns, UNIX_S + self.now_ns / 1e9)
        for notice in self.node.take_notices():
            if notice[0] == "resolve":
                _, service, query = notice
                record = self._records.get(self._queries.decode(query))
                encoded = None if record is None else msgspec.msgpack.encode(record)
                self.node.resolved(self.now_ns, service, query, encoded)
                handled += 1
        return handled

    # -- the parts ------------------------------------------------------------------------------

    def _join(self, name: str) -> None:
        host = self._ends[name]
        self.node.add_peer(address(name), public_key(_private_key(name)), kind="host")
        host.add_peer(
            address(NODE), public_key(_private_key(NODE)), kind="node", endpoint=_endpoint(NODE)
        )
        host.dial(self.now_ns, address(NODE))


def _datapath(name: str, cache_entries: int) -> Datapath:
    return Datapath(
        role="node" if name == NODE else "host",
        address=address(name),
        private_key=_private_key(name),
        seed=sha256(name.encode()).digest(),
        unix_offset_ns=int(UNIX_S * 1e9),
        cache_entries=cache_entries,
    )


def _private_key(name: str) -> bytes:
    return sha256(b"key of " + name.encode()).digest()


def _endpoint(name: str) -> str:
    digest = sha256(name.encode()).digest()
    return f"127.{digest[0]}.{digest[1]}.{digest[2]}:3535"
