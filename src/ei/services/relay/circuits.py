"""What a node before the exit remembers of circuits, in the ephemeral store."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import islice

import msgspec

from ei.sdk import NOWHERE, Address, Corner, Tables

NAME_BYTES = 16
CONNECTION_BYTES = 8
ALL = NOWHERE


class Circuit(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is remembered of one.

    Attributes:
        before: Peer by whose pipe it comes.
        source, connection: As it comes.
        exit: Where it goes.
        after: Peer by whose pipe it goes on.
        pseudonym, onward: Source and connection as it goes on.
    """

    before: Address
    source: Address
    connection: int
    exit: Address
    after: Address
    pseudonym: Address
    onward: int

    @property
    def is_of_host(self) -> bool:
        """Whether this node is its first."""
        return self.before == self.source

    @property
    def name(self) -> bytes:
        """What it is known by here."""
        return name_of(self.before, self.source, self.connection, self.exit)

    @property
    def name_back(self) -> bytes:
        """What packets from the exit say of it."""
        return name_of(self.after, NOWHERE, self.onward, self.exit)


class Circuits(Tables):
    """The circuits of a node, by name, by what comes back for them, and by their peers."""

    __slots__ = ()

    _circuits = Corner("circuits", Circuit)
    _back = Corner("back", bytes)
    _of_peer = Corner("peer", int)
    _counts = Corner("count", int)
    _lost = Corner("lost", int)
    _closed = Corner("closed", int)

    def find(
        self, before: Address, source: Address, connection: int, exit_node: Address
    ) -> Circuit | None:
        """Return the circuit of what comes by a peer."""
        return self.named(name_of(before, source, connection, exit_node))

    def find_back(self, after: Address, connection: int, exit_node: Address) -> Circuit | None:
        """Return the circuit of what comes back by a peer from an exit."""
        name = self._back.get(name_of(after, NOWHERE, connection, exit_node))
        return None if name is None else self.named(name)

    def named(self, name: bytes) -> Circuit | None:
        """Return a circuit by its name."""
        return self._circuits.get(name)

    def is_anothers(self, circuit: Circuit) -> bool:
        """Return whether what comes back for it would be taken for another's."""
        return self._back.get(circuit.name_back) not in {None, circuit.name}

    def count(self, before: Address = ALL) -> int:
        """Return how many come by a peer, or by all."""
        return self._counts.get(before) or 0

    def remember(self, circuit: Circuit) -> None:
        """Remember a circuit, in the place of what it was before."""
        name, known = circuit.name, self._circuits.get(circuit.name)
        if known is not None:
            self._back.delete(known.name_back)
            self._of_peer.delete(known.after + name)
        self._circuits.put(name, circuit)
        self._back.put(circuit.name_back, name)
        for peer in (circuit.before, circuit.after):
            self._of_peer.put(peer + name, 1)
        for peer in () if known is not None else (circuit.before, ALL):
            self._counts.put(peer, self.count(peer) + 1)

    def loosen(self, circuit: Circuit) -> None:
        """Remember no more by which peer it goes on."""
        self._back.delete(circuit.name_back)
        self._of_peer.delete(circuit.after + circuit.name)
        self._circuits.put(circuit.name, msgspec.structs.replace(circuit, after=NOWHERE))

    def forget(self, circuit: Circuit) -> None:
        """Remember nothing of a circuit."""
        self._circuits.delete(circuit.name)
        self._back.delete(circuit.name_back)
        for peer in (circuit.before, circuit.after):
            self._of_peer.delete(peer + circuit.name)
        for peer in (circuit.before, ALL):
            if (left := self.count(peer) - 1) > 0:
                self._counts.put(peer, left)
            else:
                self._counts.delete(peer)

    def of_peer(self, peer: Address, most: int) -> Iterator[Circuit]:
        """Yield those that come or go by a peer, so many of them at most."""
        for key, _ in list(islice(self._of_peer.scan(peer), most)):
            circuit = self.named(key[len(peer) :])
            if circuit is not None:
                yield circuit

    def note_closed(self, circuit: Circuit, *, ttl_s: float) -> None:
        """Note that whoever opened it has closed it just now."""
        self._closed.put(circuit.name, 1, ttl_s=ttl_s)

    def is_closed(
        self, before: Address, source: Address, connection: int, exit_node: Address
    ) -> bool:
        """Return whether the circuit of what comes by a peer was closed just now."""
        return self._closed.get(name_of(before, source, connection, exit_node)) is not None

    def note_lost(self, peer: Address, *, ttl_s: float) -> None:
        """Note that the pipe of a peer went down just now."""
        self._lost.put(peer, 1, ttl_s=ttl_s)

    def is_lost(self, peer: Address) -> bool:
        """Return whether it did."""
        return self._lost.get(peer) is not None


def eight(connection: int) -> bytes:
    """Return a connection as messages have it."""
    return connection.to_bytes(CONNECTION_BYTES, "big")


@lru_cache(maxsize=16)  # one event asks a dozen times for the two names of its circuit
def name_of(peer: Address, source: Address, connection: int, exit_node: Address) -> bytes:
    """Return a name for what comes by a peer with these."""
    said = peer + source + eight(connection) + exit_node
    return blake2b(said, digest_size=NAME_BYTES).digest()
