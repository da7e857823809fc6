"""Messages whose sender wants to know what becomes of them, pure."""

from dataclasses import dataclass

from ei.errors import LimitError
from ei.sdk.packets import Address

MAX_OPEN = 16_384


@dataclass(slots=True)
class Message:
    """One datagram on a connection of its own, by which nodes can be asked about it.

    Attributes:
        number: Its receipt repeats it.
        node: The node that it was handed to; `None` while it waits for its session.
        is_refused: It ended here: too much waits already.
    """

    to: Address
    number: int
    connection: int
    node: Address | None = None
    is_refused: bool = False


class Messages:
    """Those that are awaited, by connection: at most 16,384.

    What its sender gave up while it waited does not leave any more: it was reported.
    """

    def __init__(self) -> None:
        self._open: dict[int, Message] = {}

    def open(self, message: Message) -> None:
        """Await what becomes of a message.

        Raises:
            LimitError: too many are awaited.
        """
        if len(self._open) >= MAX_OPEN:
            raise LimitError(f"{MAX_OPEN} messages are awaited already")
        self._open[message.connection] = message

    def find(self, connection: int) -> Message | None:
        """Return the message on a connection, if it is awaited."""
        return self._open.get(connection)

    def close(self, message: Message) -> None:
        """Await it no more. Idempotent."""
        _ = self._open.pop(message.connection, None)
