"""Circuits of one host, pure: QUIC to an exit that must not know it, by a node that hides it.

    host ══ QUIC, by a key that this circuit alone has ══════════════════▶ exit
      └─ packets of the service, covered, with the exit's address ─▶ node ─▶ ... ─┘

The node puts another source and connection in the place of the host's, so each circuit has stream
connections of its own, with one connection in them. Who dies on the way is noticed by what is not
answered: a node between them goes down without a word to the host.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from ei._core import Streams
from ei.errors import LimitError
from ei.host.deadlines import earliest
from ei.host.events import HostEvent, StreamConnected, StreamLost
from ei.host.sessions import Outgoing
from ei.host.stream_connections import StreamConnections
from ei.host.stream_ports import ConnectionKey
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

MAX_CIRCUITS = 32
"""At a time, of one host; with windows of at most 12 MiB each."""
RECEIVE_BYTES = 8 * 1024 * 1024
SEND_BYTES = 4 * 1024 * 1024
KEY_BYTES = 32
ASK_NS = 300_000_000
"""So long after something was sent nothing came: what was sent may have needed no answer."""
LOST_NS = 1_200_000_000
"""And so long after it the circuit is lost, or after four round trips where those are longer."""
DRAIN_NS = 1_000_000_000
"""The exit is told again, if it has missed it, that a circuit was closed."""


@dataclass(slots=True)
class _Circuit:
    """One circuit.

    Attributes:
        node: By whose pipe it goes.
        is_up: The exit has proved its key.
        unanswered_ns: When the first thing was sent after the last that came.
        patience_ns: Of the time since then, once the exit was asked for an answer; else 0.
        ended_ns: When it was closed or lost.
    """

    node: Address
    connections: StreamConnections
    is_up: bool = False
    unanswered_ns: int | None = None
    patience_ns: int = 0
    ended_ns: int | None = None

    def next_check_ns(self) -> int | None:
        """Return when to look at it, beside what its connections want."""
        if self.ended_ns is not None:
            return self.ended_ns + DRAIN_NS
        if self.unanswered_ns is None or not self.is_up:
            return None
        return self.unanswered_ns + (self.patience_ns or ASK_NS)


class CircuitConnections:
    """All circuits of one host, beside the stream connections in its own name.

    Args:
        own: Those in its own name, which it stands for as well.
        address: Of the host.
        records: Whose key is whose.
        numbers: Draws connection numbers and the keys of circuits.
        is_seeded: Draws the randomness of QUIC from `numbers` too (simulation).
        emit: Takes each event.
    """

    def __init__(  # noqa: PLR0913 all that connections are made of
        self,
        own: StreamConnections,
        address: Address,
        *,
        records: Callable[[], RecordSet],
        numbers: Random,
        is_seeded: bool,
        emit: Callable[[HostEvent], None],
    ) -> None:
        self._own = own
        self._address = address
        self._records = records
        self._numbers = numbers
        self._is_seeded = is_seeded
        self._emit = emit
        self._circuits: dict[ConnectionKey, _Circuit] = {}

    def __repr__(self) -> str:
        return f"<CircuitConnections: {self.open_count} open>"

    @property
    def open_count(self) -> int:
        """Circuits that are open, or being opened."""
        return sum(circuit.ended_ns is None for circuit in self._circuits.values())

    # -- circuits ---------------------------------------------------------------------------------

    def open(
        self, now_ns: int, exit_node: Address, *, service: int, node: Address
    ) -> tuple[ConnectionKey, StreamConnections]:
        """Begin a circuit; `StreamConnected` or `StreamLost` of its key follows.

        Args:
            exit_node: Where it ends.
            service: That ends it there and forwards it on the way.
            node: By whose pipe its packets go.

        Raises:
            NotFoundError: the records do not know the exit, or not that it offers the service.
            LimitError: as many are open as may be.
        """
        if self.open_count >= MAX_CIRCUITS:
            raise LimitError(f"no circuit: {MAX_CIRCUITS} are open, as many as a host may have")
        key = self._numbers.randbytes(KEY_BYTES)
        seed = self._numbers.randbytes(KEY_BYTES) if self._is_seeded else None
        connections = StreamConnections(
            self._address,
            lambda: Streams(
                identity_key=key,
                seed=seed,
                max_connections=1,
                receive_window_bytes=RECEIVE_BYTES,
                send_window_bytes=SEND_BYTES,
            ),
            records=self._records,
            draw=lambda: self._numbers.getrandbits(64),
            emit=self._hear,
        )
        name, _ = connections.connect(now_ns, exit_node, service=service)
        self._circuits[name] = _Circuit(node, connections)
        return name, connections

    def end(self, now_ns: int, key: ConnectionKey) -> None:
        """Close a circuit, or forget one that was lost. Idempotent."""
        circuit = self._circuits.get(key)
        if circuit is not None and circuit.ended_ns is None:
            circuit.ended_ns = now_ns
            circuit.connections.close(now_ns, key, reason="closed")

    # -- as the connections in the host's own name ------------------------------------------------

    def carries(self, source: Address, connection: int, service: int) -> bool:
        """Return whether packets are of a circuit, or of an own connection with a service."""
        circuit = self._circuits.get((source, connection))
        ends = self._own if circuit is None else circuit.connections
        return ends.carries(source, connection, service)

    def handle(self, now_ns: int, source: Address, connection: int, payloads: list[bytes]) -> None:
        """Take payloads of one connection."""
        circuit = self._circuits.get((source, connection))
        if circuit is None:
            self._own.handle(now_ns, source, connection, payloads)
            return
        circuit.unanswered_ns, circuit.patience_ns = None, 0
        circuit.connections.handle(now_ns, source, connection, payloads)

    def poll(self, now_ns: int) -> None:
        """Do what is due."""
        self._own.poll(now_ns)
        for key, circuit in list(self._circuits.items()):
            circuit.connections.poll(now_ns)
            check_ns = circuit.next_check_ns()
            if check_ns is not None and check_ns <= now_ns:
                self._check(now_ns, key, circuit)

    def next_deadline_ns(self) -> int | None:
        """Return when to `poll` and to send next."""
        deadlines = [self._own.next_deadline_ns()]
        for circuit in self._circuits.values():
            deadlines += [circuit.next_check_ns(), circuit.connections.next_deadline_ns()]
        return earliest(*deadlines)

    def take_outgoing(self, now_ns: int) -> Iterator[Outgoing]:
        """Return what is to be sent now, and tell what happened."""
        yield from self._own.take_outgoing(now_ns)
        for circuit in list(self._circuits.values()):
            for outgoing in circuit.connections.take_outgoing(now_ns):
                if circuit.unanswered_ns is None:
                    circuit.unanswered_ns = now_ns
                yield replace(outgoing, by=circuit.node)

    def lose_node(self, now_ns: int, node: Address) -> None:
        """End all that goes by the pipe to a node, which went down."""
        self._own.lose_node(now_ns, node)
        for key, circuit in list(self._circuits.items()):
            if circuit.node == node:
                name = self._records().name_of(node)
                self._lose(now_ns, key, "node_lost", f"the pipe to {name} went down")

    # -- inside -----------------------------------------------------------------------------------

    def _hear(self, event: HostEvent) -> None:
        match event:
            case StreamConnected(peer=peer, connection=connection):
                circuit = self._circuits[peer, connection]
                circuit.is_up, circuit.unanswered_ns = True, None
            case StreamLost(peer=peer, connection=connection):
                # What it received can still be read; nothing more comes.
                _ = self._circuits.pop((peer, connection), None)
            case _:
                pass
        self._emit(event)

    def _check(self, now_ns: int, key: ConnectionKey, circuit: _Circuit) -> None:
        if circuit.ended_ns is not None:
            del self._circuits[key]
            return
        if circuit.patience_ns:
            name = self._records().name_of(key[0])
            self._lose(now_ns, key, "timed_out", f"{name} does not answer")
            return
        circuit.patience_ns = max(LOST_NS, 4 * circuit.connections.measure(key, "rtt_ns"))
        circuit.connections.ask(now_ns, key[0])

    def _lose(self, now_ns: int, key: ConnectionKey, kind: str, text: str) -> None:
        if self._circuits[key].ended_ns is None:
            self.end(now_ns, key)
            self._emit(StreamLost(*key, kind, text))
