"""End-to-end sessions for datagrams: whose key, which connection, bound to what.

Datagrams from this host to one other travel on one connection of the delivery service, drawn at
random: nodes on the way do not see which of their applications talk. Ports are inside the seal. A
message whose sender wants to know what becomes of it has a connection of its own, by which nodes
can be asked about it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ei._core import EndToEnd
from ei.errors import LimitError, NotFoundError
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

DELIVERY = 16
HANDSHAKE = bytes(4)
"""What a payload begins with that is none of a session: no key has this number."""
CONNECTION_BYTES = 8


def associated_data(source: bytes, destination: bytes, connection: int) -> bytes:
    """Return what the seal of a datagram binds besides its bytes.

        service u32 | source 16 B | destination 16 B | connection u64        little-endian

    The metadata of delivery is its destination, so nothing of it is left to add.
    """
    return b"".join(
        (
            DELIVERY.to_bytes(4, "little"),
            source,
            destination,
            connection.to_bytes(8, "little"),
        )
    )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Payloads to be sent on one connection: of delivery to a host, else to a service at a node.

    Attributes:
        is_message: It is one datagram, the only one on this connection.
        by: Of a circuit: the node that is to carry them to `to`, and hides the host there.
    """

    to: Address
    connection: int
    payloads: list[bytes]
    service: int = DELIVERY
    is_message: bool = False
    by: Address | None = None


@dataclass(slots=True)
class _Peer:
    address: Address
    key: bytes = field(repr=False)
    connection: int


class Sessions:
    """Seals and opens datagrams between this host and others that the records know.

    Args:
        address: This host's.
        end_to_end: Holds this host's private key.
        records: Whose key is whose.
        draw: Returns a random connection number, 64 bits.
    """

    def __init__(
        self,
        address: Address,
        end_to_end: EndToEnd,
        *,
        records: Callable[[], RecordSet],
        draw: Callable[[], int],
    ) -> None:
        self.address = address
        self._end_to_end = end_to_end
        self._records = records
        self.draw = draw
        self._peers: dict[Address, _Peer] = {}
        self._by_key: dict[bytes, _Peer] = {}

    def connection_to(self, to: Address) -> int:
        """Return the number under which this host's datagrams to `to` travel.

        Raises:
            NotFoundError: the records do not know the host.
        """
        return self._peer(to).connection

    def seal(
        self, now_ns: int, to: Address, datagram: bytes, *, connection: int | None = None
    ) -> list[Outgoing]:
        """Seal `datagram` for a host; while there is no session yet, its handshake goes out.

        Args:
            connection: Of this datagram alone; by default that of all others to the host.

        Raises:
            NotFoundError: the records do not know the host.
            LimitError: as many datagrams as may wait for the session do.
        """
        peer = self._peer(to)
        bound = associated_data(
            self.address, to, peer.connection if connection is None else connection
        )
        try:
            sealed = self._end_to_end.seal(now_ns, peer.key, bound, datagram)
        except ValueError as error:
            name = self._records().name_of(to)
            raise LimitError(f"no session with {name} yet, and too much waits for it") from error
        return _sort(peer, sealed)

    def open(
        self, now_ns: int, source: Address, connection: int, payload: bytes
    ) -> tuple[bytes | None, list[Outgoing]]:
        """Open one payload: (datagram, unless it was a handshake; what to send now).

        Raises:
            NotFoundError: the records do not know the source.
            ValueError: the payload does not verify.
        """
        peer = self._peer(source)
        bound = associated_data(source, self.address, connection)
        datagram, sealed = self._end_to_end.open(now_ns, peer.key, bound, payload)
        return datagram, _sort(peer, sealed)

    def forget(self, host: Address) -> None:
        """End the session with a host, if there is one."""
        if (peer := self._peers.pop(host, None)) is not None:
            del self._by_key[peer.key]
            self._end_to_end.forget(peer.key)

    def poll(self, now_ns: int) -> list[Outgoing]:
        """Return handshakes to be sent again."""
        return [
            outgoing
            for key, bound, payload in self._end_to_end.poll(now_ns)
            for outgoing in _sort(self._by_key[key], [(bound, payload)])
        ]

    def next_deadline_ns(self) -> int | None:
        """Return when `poll` has something to do next."""
        return self._end_to_end.next_deadline_ns()

    def _peer(self, address: Address) -> _Peer:
        known = self._peers.get(address)
        if known is not None:
            return known
        enrolment = self._records().enrolments.get(address)
        if enrolment is None:
            raise NotFoundError(f"no record of the host {self._records().name_of(address)}")
        peer = _Peer(address, enrolment.pipe_key, self.draw())
        self._peers[address] = peer
        self._by_key[peer.key] = peer
        return peer


def _sort(peer: _Peer, sealed: list[tuple[bytes, bytes]]) -> list[Outgoing]:
    """Join payloads of one connection; handshakes go with what is no message of its own."""
    sorted_: list[Outgoing] = []
    for bound, payload in sealed:
        connection = int.from_bytes(bound[-CONNECTION_BYTES:], "little")
        is_other = bound != b"" and connection != peer.connection
        if is_other and not payload.startswith(HANDSHAKE):
            sorted_.append(Outgoing(peer.address, connection, [payload], is_message=True))
        elif sorted_ and not sorted_[-1].is_message:
            sorted_[-1].payloads.append(payload)
        else:
            sorted_.append(Outgoing(peer.address, peer.connection, [payload]))
    return sorted_
