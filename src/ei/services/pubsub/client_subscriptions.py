"""What an application holds of a subscription to pub/sub, and of what came for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec

from ei.errors import EiError, LimitError
from ei.host.deadlines import DEFAULT_S, within
from ei.sdk import Address
from ei.services.pubsub.backlog import POLICIES, Backlog, Reach
from ei.services.pubsub.messages import Follow, More

CREDIT = 256
"""Messages of a log that may be on their way to one subscription."""
LOOK_S = 0.05
HOLD_S = 1.0
"""How long what is retained waits for logs that may have something newer."""
LIVE_S = float("inf")
"""When a message was published that came as a packet: after all that is retained by then."""
SUPERSEDED = 10_000
PATIENCE_S = 366 * 86_400.0
"""Where nothing but an end ends the waiting."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a message is: what the log is known by, and its place there."""

    log: Address
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message.

    Attributes:
        subject, data, extra: As published.
        publisher: The host that did, as its node says.
        position: In a log; `None` of one that came as a packet.
        unix_s: When it was taken into the log; 0 of one that came as a packet.
        is_retained: It came since it was retained.
        lost: How many before it were dropped for this subscriber, or had left the log.
    """

    subject: str
    data: bytes
    publisher: Address
    extra: bytes = b""
    position: Position | None = None
    unix_s: float = 0.0
    is_retained: bool = False
    lost: int = 0


class Subscription:
    """What comes for a filter. Made by `PubSub.subscribe`.

    Args:
        follow: What nodes are asked for.
        kept: It reads the logs.
        reached: Called when a node is to hear how far it has come.

    Attributes:
        has_retained: The nodes from which all that was retained has come.
    """

    def __init__(
        self,
        follow: Follow,
        *,
        kept: bool,
        reached: Callable[["Subscription", Address], None],
    ) -> None:
        self.follow = follow
        self.kept = kept
        self.has_retained: set[Address] = set()
        self._told = reached
        self._backlog = Backlog[Message](limit=max(1, follow.queue), policy=POLICIES[follow.policy])
        self._came = asyncio.Event()
        self._followed = asyncio.Event()
        self._error: EiError | None = None
        self._newest: dict[str, float] = {}
        self._held: dict[str, Message] = {}
        self._reaches: dict[Address, Reach] = {}
        self._taken: dict[Address, int] = {}

    def __repr__(self) -> str:
        return f"<Subscription {self.filter!r}, {len(self._backlog)} wait>"

    @property
    def filter(self) -> str:
        """Of subjects."""
        return self.follow.filter

    @property
    def number(self) -> int:
        """Its own, among those of the host."""
        return self.follow.id

    async def receive(self, *, deadline_s: float = DEFAULT_S) -> Message:
        """Return the next message.

        Raises:
            DeadlineError: None came.
            LimitError: It was ended, as it did not keep up.
            LocalError: It is closed.
        """
        message = self._take()
        if message is not None:
            return message
        async with within(deadline_s, f"message for {self.filter!r}"):
            while True:
                self._came.clear()
                message = self._take()
                if message is not None:
                    return message
                self.check()
                _ = await self._came.wait()

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            yield await self.receive(deadline_s=PATIENCE_S)

    def acknowledge(self, message: Message) -> None:
        """Say that a message is dealt with: with a name, it does not come again."""
        if message.position is None or message.is_retained or not self.follow.name:
            return
        self.reach(message.position.log).acknowledge(message.position.number)
        self._told(self, message.position.log)

    # -- for the bus ------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise why nothing more comes, if so."""
        if self._error is not None:
            raise self._error

    def end(self, error: EiError) -> None:
        """Let nothing more come."""
        self._error = self._error or error
        self._came.set()
        self._followed.set()

    def reach(self, log: Address) -> Reach:
        """Return how far it has come in a log."""
        return self._reaches.setdefault(log, Reach(is_open=bool(self.follow.name)))

    def follows(self, log: Address, first: int) -> None:
        """Note that a log is told, from a position on."""
        self.reach(log).begin(first)
        self._followed.set()

    async def until_followed(self, logs: Callable[[], set[Address | None]]) -> None:
        """Return when all of these logs are told; which they are may change meanwhile."""
        while self._error is None and not logs() <= set(self._reaches):
            self._followed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    _ = await self._followed.wait()

    def following(self, log: Address) -> Follow:
        """Return what to ask the node of a log for, from where this has come to."""
        if log not in self._reaches:
            return self.follow
        self._taken[log] = 0
        return msgspec.structs.replace(
            self.follow,
            first=self.reach(log).told + 1,
            credit=max(0, CREDIT - self._backlog.count_of(lambda each: _is_of(each, log))),
            is_retained=self.follow.is_retained and log not in self.has_retained,
        )

    def account(self, log: Address) -> More:
        """Return what to tell the node of a log of what was dealt with."""
        taken, self._taken[log] = self._taken.get(log, 0), 0
        return More(self.number, taken, self.reach(log).done if self.follow.name else -1)

    def tell(self, message: Message) -> None:
        """Let a message wait to be received."""
        if message.is_retained:
            self._hold(message)
            return
        if self.follow.is_retained:
            self._supersede(message)
        self._backlog.add(message, is_live=message.position is None)
        if self._backlog.is_over:
            self.end(LimitError(f"{self.filter!r} did not keep up with what came"))
        self._came.set()

    def show_retained(self) -> None:
        """Let what is retained be received, the newest of each subject: all logs have told it."""
        held, self._held = self._held, {}
        for message in held.values():
            self._backlog.add(message, is_live=False)
        self._came.set()

    def skip(self, log: Address) -> None:
        """Count a message as taken that nobody is to receive."""
        self._taken[log] = self._taken.get(log, 0) + 1
        if self._taken[log] >= CREDIT // 2:
            self._told(self, log)

    # -- inside -----------------------------------------------------------------------------------

    def _take(self) -> Message | None:
        message = self._backlog.take()
        if message is None:
            return None
        lost, self._backlog.lost = self._backlog.lost + message.lost, 0
        if message.position is not None and not message.is_retained:
            self.skip(message.position.log)
        return replace(message, lost=lost) if lost else message

    def _supersede(self, message: Message) -> None:
        """Let what is told now take the place of what was retained before, held or still to come.

        Of the log of a node that was not heard of before, what is retained may come much later:
        the first `SUPERSEDED` subjects are remembered for that.
        """
        now_s = message.unix_s or LIVE_S
        held = self._held.get(message.subject)
        if held is not None and held.unix_s <= now_s:
            del self._held[message.subject]
        if message.subject in self._newest or len(self._newest) < SUPERSEDED:
            self._newest[message.subject] = max(now_s, self._newest.get(message.subject, 0.0))

    def _hold(self, message: Message) -> None:
        """Hold a retained message until others that may be newer have come.

        One without data takes back what there was, also at other nodes.
        """
        if message.position is not None:
            self.skip(message.position.log)
        if message.unix_s <= self._newest.get(message.subject, -1.0):
            return
        self._newest[message.subject] = message.unix_s
        _ = self._held.pop(message.subject, None)
        if message.data:
            if not self._held:
                _ = asyncio.get_running_loop().call_later(HOLD_S, self.show_retained)
            self._held[message.subject] = message


def _is_of(message: Message, log: Address) -> bool:
    position = message.position
    return position is not None and position.log == log and not message.is_retained
