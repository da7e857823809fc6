"""What packets a host wants of pub/sub: said to its node, and to each one that it goes over to."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count

import msgspec

from ei.errors import LimitError, LocalError, StreamError
from ei.host.client import Host
from ei.sdk import Address
from ei.services.pubsub.client_lines import PUBSUB
from ei.services.pubsub.client_subscriptions import PATIENCE_S, Subscription
from ei.services.pubsub.messages import MESSAGES, Again, Want, Wanted, Wish

WISHES_A_MESSAGE = 250


class Wishing:
    """Tells the node what packets are wanted.

    Args:
        host: Whose.
        subscriptions: Read whenever all is to be said.
    """

    def __init__(self, host: Host, subscriptions: Mapping[int, Subscription]) -> None:
        self._subscriptions = subscriptions
        self._channel = host.controls(PUBSUB)
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Wanted]] = {}

    async def add(self, subscription: Subscription, *, node: Address | None) -> None:
        """Say what one more wants; return when the node has taken it.

        Raises:
            StreamError: It refuses: the host wants too much.
        """
        number = next(self._numbers)
        wanted = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._tell(Want(number, is_whole=False, added=wishes_of(subscription)), node)
            answer = await wanted
        finally:
            del self._waiting[number]
        if answer.refused:
            sentence = f"the node does not let this host want {subscription.filter!r}, too"
            raise StreamError(sentence, kind="too_many")

    def remove(self, subscription: Subscription, *, node: Address | None) -> None:
        """Say what nobody wants any more after this one, which is not among the others now."""
        left = self._all()
        removed = tuple(wish for wish in wishes_of(subscription) if wish not in left)
        if removed:
            with suppress(LimitError):
                self._tell(Want(0, is_whole=False, removed=removed), node)

    def tell_all(self, *, node: Address | None) -> None:
        """Say all that is wanted; who waits for an answer has that one."""
        wishes = list(self._all())
        number = max(self._waiting, default=0)
        with suppress(LimitError):
            for start in range(0, max(1, len(wishes)), WISHES_A_MESSAGE):
                part = tuple(wishes[start : start + WISHES_A_MESSAGE])
                self._tell(Want(number, is_whole=start == 0, added=part), node)

    def close(self, *, node: Address | None) -> None:
        """Want nothing more. If nobody can be told now, nodes notice when the host is gone."""
        with suppress(LimitError):
            self._tell(Want(0, is_whole=True), node)
        self._channel.close()

    async def hear(self, node: Callable[[], Address | None]) -> None:
        """Take answers, until it is closed."""
        with suppress(LocalError):
            while True:
                received = await self._channel.receive(deadline_s=PATIENCE_S)
                with suppress(msgspec.MsgspecError):
                    self._take(_messages.decode(received.message), node())

    # -- inside -----------------------------------------------------------------------------------

    def _take(self, message: Want | Wanted | Again, node: Address | None) -> None:
        match message:
            case Wanted(number=number):
                for waiting, future in self._waiting.items():
                    if waiting <= number and not future.done():
                        future.set_result(message)
            case Again():
                self.tell_all(node=node)
            case Want():
                pass  # said between nodes

    def _all(self) -> dict[Wish, None]:
        found = self._subscriptions.values()
        return dict.fromkeys(wish for each in found for wish in wishes_of(each))

    def _tell(self, message: Want, node: Address | None) -> None:
        self._channel.send(msgspec.msgpack.encode(message), node=node)


def wishes_of(subscription: Subscription) -> tuple[Wish, ...]:
    """Return the packets that a subscription wants: of what is kept, if it does not read logs."""
    live = Wish(subscription.filter)
    return (live,) if subscription.kept else (live, Wish(subscription.filter, is_kept=True))


_messages: msgspec.msgpack.Decoder[Want | Wanted | Again] = msgspec.msgpack.Decoder(MESSAGES)
