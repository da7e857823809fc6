"""Datagrams between hosts, pure: frames in end-to-end seals, receipts and echoes answered."""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from ei.errors import LimitError, NotFoundError, PeerError
from ei.host.events import DatagramReceived, EchoReceived, HostEvent, ReceiptReceived, Word
from ei.host.frames import HEADER_BYTES, Frame, FrameKind, encode_frame, parse_frame
from ei.host.messages import Message, Messages
from ei.host.ranges import check_port
from ei.host.sessions import HANDSHAKE, Outgoing, Sessions
from ei.host.sizes import MAX_SEALED_BYTES
from ei.sdk.packets import Address


class Send(Protocol):
    """Hands sealed payloads to the datapath; returns the node that got them, if it took all."""

    def __call__(
        self, now_ns: int, outgoing: Outgoing, *, is_traced: bool = False
    ) -> Address | None: ...


WORDS: dict[FrameKind, Word] = {
    FrameKind.RECEIPT: "delivered",
    FrameKind.DURABLE: "durable",
    FrameKind.REFUSAL: "dropped",
}
KINDS = {word: kind for kind, word in WORDS.items()}


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
        self._messages = Messages()
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
        is_traced: bool = False,
    ) -> bool:
        """Send a datagram; return whether it was taken, which it is not while too much waits.

        Args:
            data: 0 to 1_267 bytes; fewer where the host's `max_datagram_bytes` is below 1_420.
            port: Of the listener at `to`, 0 to 65_535.
            source_port: Where answers should go.

        Raises:
            NotFoundError: the records do not know `to`.
            LimitError: too long.
            LocalError: a port out of range.
        """
        frame = self._frame(FrameKind.DATAGRAM, data, port, source_port)
        try:
            return self._send_frame(now_ns, to, frame, is_traced=is_traced)
        except LimitError:
            self.dropped["send_refused"] += 1
            return False

    def send_message(
        self, now_ns: int, to: Address, data: bytes, *, port: int, source_port: int = 0
    ) -> Message:
        """Send a datagram that its destination answers with a receipt, on a connection of its own.

        To be closed by `close_message`.

        Raises:
            NotFoundError, LimitError, LocalError: as `send`.
        """
        frame = self._frame(FrameKind.DATAGRAM_WITH_RECEIPT, data, port, source_port)
        message = Message(to, frame.number, self._sessions.draw())
        try:
            self._messages.open(message)
            _ = self._send_frame(now_ns, to, frame, connection=message.connection)
        except LimitError:
            message.is_refused = True
            self.dropped["send_refused"] += 1
        return message

    def close_message(self, message: Message) -> None:
        """Await a message no more; if it has not left by now, it never will. Idempotent."""
        self._messages.close(message)

    def ping(self, now_ns: int, to: Address, data: bytes = b"", *, is_traced: bool = False) -> int:
        """Ask the stack of `to` for an echo; return the number that `EchoReceived` repeats.

        Raises:
            NotFoundError, LimitError: as `send`.
        """
        frame = self._frame(FrameKind.ECHO_REQUEST, data)
        _ = self._send_frame(now_ns, to, frame, is_traced=is_traced)
        return frame.number

    def acknowledge(self, now_ns: int, datagram: DatagramReceived, word: Word) -> None:
        """State to the source what became of a datagram; without effect if it did not ask."""
        if datagram.number is not None:
            self._answer(now_ns, datagram.source, Frame(KINDS[word], datagram.number))

    def take(self, now_ns: int, source: Address, connection: int, payload: bytes) -> None:
        """Take a sealed payload that came on a connection. Any bytes: bad ones are counted."""
        try:
            datagram, answers = self._sessions.open(now_ns, source, connection, payload)
        except NotFoundError:
            self.dropped["unknown_source"] += 1
            return
        except ValueError:
            self.dropped["bad_end_to_end"] += 1
            return
        _ = self._leave(now_ns, answers)
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
        _ = self._leave(now_ns, self._sessions.poll(now_ns))

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
            case FrameKind.RECEIPT | FrameKind.REFUSAL | FrameKind.DURABLE:
                self._emit(ReceiptReceived(source, frame.number, WORDS[frame.kind]))
            case FrameKind.ECHO_REQUEST:
                self._answer(now_ns, source, Frame(FrameKind.ECHO_REPLY, frame.number, frame.data))
            case FrameKind.ECHO_REPLY:
                self._emit(EchoReceived(source, frame.number, frame.data, now_ns))

    def _answer(self, now_ns: int, to: Address, frame: Frame) -> None:
        """Send what a peer's frame asks for; what it causes may not raise."""
        try:
            _ = self._send_frame(now_ns, to, frame)
        except LimitError:
            self.dropped["answer_refused"] += 1

    def check_room(self, data: bytes) -> None:
        """Raise a `LimitError` unless the data fit a datagram."""
        if len(data) > self._max_data_bytes:
            raise LimitError(
                f"a datagram of {len(data)} B; allowed are {self._max_data_bytes} B",
                remedy="Send it over a stream.",
            )

    def _frame(self, kind: FrameKind, data: bytes, port: int = 0, source_port: int = 0) -> Frame:
        """Return a frame of this host with the next number."""
        check_port(port)
        check_port(source_port)
        self.check_room(data)
        self._last_number += 1
        return Frame(kind, self._last_number, data, source_port, port)

    def _send_frame(
        self,
        now_ns: int,
        to: Address,
        frame: Frame,
        *,
        connection: int | None = None,
        is_traced: bool = False,
    ) -> bool:
        """Seal a frame and let it leave, or wait for its session; return whether it was taken."""
        if to == self._sessions.address:
            # To itself: nothing leaves, since a session needs two ends.
            self.sent[frame.kind.name.lower()] += 1
            self.received[frame.kind.name.lower()] += 1
            self._take_frame(now_ns, to, frame)
            return True
        outgoing = self._sessions.seal(now_ns, to, encode_frame(frame), connection=connection)
        self.sent[frame.kind.name.lower()] += 1
        return self._leave(now_ns, outgoing, is_traced=is_traced)

    def _leave(self, now_ns: int, outgoing: list[Outgoing], *, is_traced: bool = False) -> bool:
        """Hand payloads to the node; return whether it took all."""
        taken = [self._leave_one(now_ns, one, is_traced=is_traced) for one in outgoing]
        return all(taken)

    def _leave_one(self, now_ns: int, outgoing: Outgoing, *, is_traced: bool) -> bool:
        if not outgoing.is_message:
            # Where a handshake ends is worth knowing: what waits for it ends with it.
            is_handshake = outgoing.payloads[0].startswith(HANDSHAKE)
            return self._send(now_ns, outgoing, is_traced=is_traced or is_handshake) is not None
        message = self._messages.find(outgoing.connection)
        if message is None:
            self.dropped["given_up"] += 1
            return False
        message.node = self._send(now_ns, outgoing, is_traced=True)
        message.is_refused = message.node is None
        return not message.is_refused
