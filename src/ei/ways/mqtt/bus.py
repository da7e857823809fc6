"""What the gateway needs of pubsub, and nothing else."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ei.ways.mqtt.carried import Message


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of a subscription.

    Attributes:
        mark: Where it is in a log of pubsub; the same when it comes again. Empty: in none.
        lost: How many before it did not come, because this client was too slow.
    """

    message: Message
    mark: bytes = b""
    lost: int = 0


class Feed(Protocol):
    """The messages of one subscription."""

    async def receive(self) -> Arrived:
        """Return the next message.

        Raises:
            EiError: there will be none: why.
        """
        ...

    def acknowledge(self, arrived: Arrived) -> None:
        """Let pubsub forget it, as far as this subscription goes."""
        ...


class Bus(Protocol):
    """Where messages go, and come from."""

    async def publish(self, topic: str, payload: bytes, extra: bytes) -> None:
        """Send a message to who is there, at most once.

        Raises:
            LimitError: it is too long.
        """
        ...

    async def keep(  # noqa: PLR0913 all that a message is
        self,
        topic: str,
        payload: bytes,
        extra: bytes,
        *,
        is_retained: bool = False,
        publisher: str = "",
        ordinal: int | None = None,
    ) -> None:
        """Return when a message is where nothing that it promises can lose it.

        Args:
            is_retained: Who comes later gets it; without payload: no more.
            publisher, ordinal: If given, it is taken once; ordinals of a publisher ascend.

        Raises:
            LimitError, LocalError: it never will be.
            DeadlineError, UnreachableError: it may or may not be.
        """
        ...

    def subscribe(
        self, wanted: str, *, name: str | None, is_retained: bool, queue: int
    ) -> AbstractAsyncContextManager[Feed]:
        """Subscribe while the block runs, which begins once it is in effect.

        Args:
            name: Under it pubsub remembers what was acknowledged, also between blocks.
            is_retained: Retained messages come first.
            queue: Messages that wait for `receive`; of more the oldest are lost.

        Raises:
            DeniedError: it never will be.
            EiError: not now.
        """
        ...

    async def forget(self, name: str) -> None:
        """Have pubsub forget a name.

        Raises:
            EiError: it could not be told.
        """
        ...
