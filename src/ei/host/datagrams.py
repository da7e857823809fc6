"""Datagrams between hosts, pure: frames in end-to-end seals, receipts and echoes answered."""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from ei.errors import LimitError, NotFoundError, PeerError
from ei.host.events import DatagramReceived, EchoReceived, HostEvent, ReceiptReceived
from ei.host.frames import HEADER_BYTES, Frame, FrameKind, encode_frame, parse_frame
from ei.host.ranges import check_port
from ei.host.sessions import Outgoing, Sessions
from ei.host.sizes import MAX_SEALED_BYTES
from ei.sdk.packets import Address


class Send(Protocol):
    """Hands sealed payloads to the datapath."""

    def __call__(self, now_ns: int, outgoing: Outgoing, *, is_traced: bool = False) -> None: ...


class Datagrams:
    """All datagrams of one host.

    Args:
        sessions: Seal and open.
        send: Gets all payloads that are to leave.
        emit: Gets each event.
        max_sealed_bytes: Largest frame, 13 to 1_280 bytes.

    Attributes:
        sent, received: Frames by kind.
        dropped: Payloads by reason.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        send: Send,
        emit: Callable[[HostEvent], None],
        max_sealed_bytes: int = MAX_SEALED_BYTES,
    ) -> None:
        self._sessions = sessions
        self._send = send
        self._emit = emit
        self._max_data_bytes = max_sealed_bytes - HEADER_BYTES
        self._last_number = 0
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def connection_to(self, to: Address) -> int:
        """Return the connection of this host's datagrams to `to`, as traces show it.

        Raises:
            NotFoundError: the records do not know `to`.
        """
        return self._sessions.connection_to(to)

    def send(  # noqa: PLR0913 as many as a datagram has fields
        self,
        now_ns: int,
        to: Address,
        data: bytes,
        *,
        port: int,
        source_port: int = 0,
        wants_receipt: bool = False,
        is_traced: bool = False,
    ) -> int:
        """Send a datagram; return its number, which a receipt repeats.

        Args:
            data: 0 to 1_267 bytes; fewer where the host's `max_datagram_bytes` is below 1_404.
            port: Of the listener at `to`, 0 to 65_535.
            source_port: Where answers should go.

        Raises:
            NotFoundError: the records do not know `to`.
            LimitError: too long, or too much waits for the session; nothing is sent.
            LocalError: a port out of range.
        """
        check_port(port)
        check_port(source_port)
        kind = FrameKind.DATAGRAM_WITH_RECEIPT if wants_receipt else FrameKind.DATAGRAM
        self._last_number += 1
        frame = Frame(kind, self._last_number, data, source_port, port)
        self._send_frame(now_ns, to, frame, is_traced=is_traced)
        return self._last_number

    def ping(self, now_ns: int, to: Address, data: bytes = b"", *, is_traced: bool = False) -> int:
        """Ask the stack of `to` for an echo; return the number that `EchoReceived` repeats.

        Raises:
            NotFoundError, LimitError: as `send`.
        """
        self._last_number += 1
        frame = Frame(FrameKind.ECHO_REQUEST, self._last_number, data)
        self._send_frame(now_ns, to, frame, is_traced=is_traced)
        return self._last_number

    def acknowledge(self, now_ns: int, datagram: DatagramReceived, *, is_delivered: bool) -> None:
        """State to the source what became of a datagram; without effect if it did not ask."""
        if datagram.number is not None:
            kind = FrameKind.RECEIPT if is_delivered else FrameKind.REFUSAL
            self._answer(now_ns, datagram.source, Frame(kind, datagram.number))

    def take(self, now_ns: int, source: Address, connection: int, payload: bytes) -> None:
        """Take a sealed payload that came on a connection. Any bytes: bad ones are counted."""
        try:
            datagram, answer = self._sessions.open(now_ns, source, connection, payload)
        except NotFoundError:
            self.dropped["unknown_source"] += 1
            return
        except ValueError:
            self.dropped["bad_end_to_end"] += 1
            return
        self._send(now_ns, answer)
        if datagram is None:
            return
        try:
            frame = parse_frame(datagram)
        except PeerError:
            self.dropped["bad_frame"] += 1
            return
        self.received[frame.kind.name.lower()] += 1
        self._take_frame(now_ns, source, frame)

    def forget(self, host: Address) -> None:
        """End the session with a host, if there is one."""
        self._sessions.forget(host)

    def poll(self, now_ns: int) -> None:
        """Send again what is due."""
        for outgoing in self._sessions.poll(now_ns):
            self._send(now_ns, outgoing)

    def next_deadline_ns(self) -> int | None:
        """Return when `poll` has something to do next."""
        return self._sessions.next_deadline_ns()

    def _take_frame(self, now_ns: int, source: Address, frame: Frame) -> None:
        match frame.kind:
            case FrameKind.DATAGRAM | FrameKind.DATAGRAM_WITH_RECEIPT:
                is_asked = frame.kind is FrameKind.DATAGRAM_WITH_RECEIPT
                self._emit(
                    DatagramReceived(
                        source,
                        frame.source_port,
                        frame.destination_port,
                        frame.data,
                        frame.number if is_asked else None,
                    )
                )
            case FrameKind.RECEIPT | FrameKind.REFUSAL:
                is_delivered = frame.kind is FrameKind.RECEIPT
                self._emit(ReceiptReceived(source, frame.number, is_delivered))
            case FrameKind.ECHO_REQUEST:
                self._answer(now_ns, source, Frame(FrameKind.ECHO_REPLY, frame.number, frame.data))
            case FrameKind.ECHO_REPLY:
                self._emit(EchoReceived(source, frame.number, frame.data, now_ns))

    def _answer(self, now_ns: int, to: Address, frame: Frame) -> None:
        """Send what a peer's frame asks for; what it causes may not raise."""
        try:
            self._send_frame(now_ns, to, frame)
        except LimitError:
            self.dropped["answer_refused"] += 1

    def _send_frame(
        self, now_ns: int, to: Address, frame: Frame, *, is_traced: bool = False
    ) -> None:
        if len(frame.data) > self._max_data_bytes:
            raise LimitError(
                f"a datagram of {len(frame.data)} B; allowed are {self._max_data_bytes} B",
                remedy="Send it over a stream.",
            )
        if to == self._sessions.address:
            # To itself: nothing leaves, since a session needs two ends.
            self.sent[frame.kind.name.lower()] += 1
            self.received[frame.kind.name.lower()] += 1
            self._take_frame(now_ns, to, frame)
            return
        outgoing = self._sessions.seal(now_ns, to, encode_frame(frame))
        self.sent[frame.kind.name.lower()] += 1
        self._send(now_ns, outgoing, is_traced=is_traced)
