"""The service pubsub, as the gateway needs it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from ei.errors import DeniedError, LocalError, StreamError
from ei.services.pubsub.client import Message as Published
from ei.services.pubsub.client import PubSub, Subscription
from ei.ways.mqtt.bus import Arrived
from ei.ways.mqtt.carried import Message

PATIENCE_S = 366 * 86_400.0
NUMBER_BYTES = 8


class Exchange:
    """A `Bus`.

    Args:
        unix_s: The time.
    """

    def __init__(self, pubsub: PubSub, unix_s: Callable[[], float]) -> None:
        self._pubsub = pubsub
        self._unix_s = unix_s

    async def publish(self, topic: str, payload: bytes, extra: bytes) -> None:
        """Send a message to who is there."""
        if not self._pubsub.publish(topic, payload, extra=extra):
            raise LocalError("the pipe to the node has no room")

    async def keep(  # noqa: PLR0913 as `Bus`
        self,
        topic: str,
        payload: bytes,
        extra: bytes,
        *,
        is_retained: bool = False,
        publisher: str = "",
        ordinal: int | None = None,
    ) -> None:
        """Return when a message is in the log."""
        try:
            _ = await self._pubsub.keep(
                topic,
                payload,
                extra=extra,
                retain=is_retained,
                publisher=publisher,
                number=ordinal,
            )
        except StreamError as error:
            raise LocalError(str(error)) from error

    @asynccontextmanager
    async def subscribe(
        self, wanted: str, *, name: str | None, is_retained: bool, queue: int
    ) -> AsyncGenerator["Following"]:
        """Subscribe while the block runs."""
        async with AsyncExitStack() as stack:
            opening = self._pubsub.subscribe(wanted, name=name, retained=is_retained, queue=queue)
            try:
                subscription = await stack.enter_async_context(opening)
            except StreamError as error:
                raise DeniedError(str(error)) from error
            yield Following(subscription, self._unix_s)

    async def forget(self, name: str) -> None:
        """Have a name forgotten."""
        await self._pubsub.forget(name)


class Following:
    """A `Feed`."""

    def __init__(self, subscription: Subscription, unix_s: Callable[[], float]) -> None:
        self._subscription = subscription
        self._unix_s = unix_s
        self._open: dict[bytes, Published] = {}

    async def receive(self) -> Arrived:
        """Return the next message."""
        try:
            published = await self._subscription.receive(deadline_s=PATIENCE_S)
        except StreamError as error:
            raise LocalError(str(error)) from error
        position = published.position
        age_s = self._unix_s() - published.unix_s if published.unix_s else 0.0
        message = Message(
            published.subject,
            published.data,
            published.extra,
            is_kept=position is not None,
            is_late=published.is_retained,
            age_s=max(0.0, age_s),
        )
        if position is None:
            return Arrived(message, lost=published.lost)
        mark = bytes(position.log) + position.number.to_bytes(NUMBER_BYTES)
        self._open[mark] = published
        return Arrived(message, mark, published.lost)

    def acknowledge(self, arrived: Arrived) -> None:
        """Let pubsub forget it."""
        published = self._open.pop(arrived.mark, None)
        if published is not None:
            self._subscription.acknowledge(published)
