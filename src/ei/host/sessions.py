"""End-to-end sessions for datagrams: whose key, which connection, bound to what.

All datagrams from this host to one other travel on one connection of the delivery service, drawn
at random: nodes on the way do not see which of their applications talk. Ports are inside the seal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ei._core import EndToEnd
from ei.errors import LimitError, NotFoundError
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

DELIVERY = 16


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
    """Payloads for one host, to be sent on one connection of delivery."""

    to: Address
    connection: int
    payloads: list[bytes]


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
        self._draw = draw
        self._peers: dict[Address, _Peer] = {}
        self._by_key: dict[bytes, _Peer] = {}

    def connection_to(self, to: Address) -> int:
        """Return the number under which this host's datagrams to `to` travel.

        Raises:
            NotFoundError: the records do not know the host.
        """
        return self._peer(to).connection

    def seal(self, now_ns: int, to: Address, datagram: bytes) -> Outgoing:
        """Seal `datagram` for a host; while there is no session yet, its handshake goes out.

        Raises:
            NotFoundError: the records do not know the host.
            LimitError: as many datagrams as may wait for the session do.
        """
        peer = self._peer(to)
        bound = associated_data(self.address, to, peer.connection)
        try:
            payloads = self._end_to_end.seal(now_ns, peer.key, bound, datagram)
        except ValueError as error:
            name = self._records().name_of(to)
            raise LimitError(f"no session with {name} yet, and too much waits for it") from error
        return Outgoing(to, peer.connection, [payload for _, payload in payloads])

    def open(
        self, now_ns: int, source: Address, connection: int, payload: bytes
    ) -> tuple[bytes | None, Outgoing]:
        """Open one payload: (datagram, unless it was a handshake; what to send back).

        Raises:
            NotFoundError: the records do not know the source.
            ValueError: the payload does not verify.
        """
        peer = self._peer(source)
        bound = associated_data(source, self.address, connection)
        datagram, answers = self._end_to_end.open(now_ns, peer.key, bound, payload)
        return datagram, Outgoing(source, peer.connection, [payload for _, payload in answers])

    def forget(self, host: Address) -> None:
        """End the session with a host, if there is one."""
        if (peer := self._peers.pop(host, None)) is not None:
            del self._by_key[peer.key]
            self._end_to_end.forget(peer.key)

    def poll(self, now_ns: int) -> list[Outgoing]:
        """Return handshakes to be sent again."""
        due: list[Outgoing] = []
        for key, _, payload in self._end_to_end.poll(now_ns):
            peer = self._by_key[key]
            due.append(Outgoing(peer.address, peer.connection, [payload]))
        return due

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
        peer = _Peer(address, enrolment.pipe_key, self._draw())
        self._peers[address] = peer
        self._by_key[peer.key] = peer
        return peer
