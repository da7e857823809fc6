"""A receiver that hashes what it hears, in order, as it comes: memory for the gaps alone."""

import asyncio
import hashlib
from contextlib import AsyncExitStack, suppress

from ei.errors import DeadlineError
from ei.host.client import Host
from ei.lab.lab import Lab
from ei.sdk import Address
from ei.services.multicast.client import Message, Receiver, receive


class Listener:
    """One host of a group.

    Attributes:
        joined_s: When it asked to belong.
        first_s: When the first message came.
        longest_silence_s: Between two new messages of the sender.
        strangers: Messages of others than the sender.
        streams: By connection of the sender, what came of it in order.
    """

    def __init__(self, lab: Lab, host: Host, sender: Address) -> None:
        self._lab = lab
        self._sender = sender
        self._stack = AsyncExitStack()
        self._receiver: Receiver | None = None
        self._last_s: float | None = None
        self.host = host
        self.joined_s = 0.0
        self.first_s: float | None = None
        self.longest_silence_s = 0.0
        self.strangers = 0
        self.streams: dict[int, InOrder] = {}

    async def join(self, group: str) -> None:
        """Belong to the group."""
        self.joined_s = self._lab.now_s()
        self._receiver = await self._stack.enter_async_context(
            receive(self.host, group, is_from_start=True)
        )

    async def leave(self) -> None:
        """No longer belong to it. Idempotent."""
        await self._stack.aclose()

    async def hear(self) -> None:
        """Take what comes, until cancelled."""
        while self._receiver is not None:
            with suppress(DeadlineError):
                self._take(await self._receiver.receive(deadline_s=3_600.0))

    @property
    def lost(self) -> int:
        """How many messages it gave up."""
        streams = {} if self._receiver is None else self._receiver.streams
        return sum(gaps.lost for gaps in streams.values())

    @property
    def repaired(self) -> int:
        """How many messages came once it had asked for them."""
        streams = {} if self._receiver is None else self._receiver.streams
        return sum(gaps.repaired for gaps in streams.values())

    def forget_silence(self) -> None:
        """Measure the longest silence from now on."""
        self._last_s = self._lab.now_s()
        self.longest_silence_s = 0.0

    def silence_s(self) -> float:
        """Return the longest silence, that which lasts until now included."""
        now_s = self._lab.now_s()
        last_s = now_s if self._last_s is None else self._last_s
        return max(self.longest_silence_s, now_s - last_s)

    def _take(self, message: Message) -> None:
        if message.source != self._sender:
            self.strangers += 1
            return
        now_s = self._lab.now_s()
        if self.first_s is None:
            self.first_s = now_s
        if self._last_s is not None:
            self.longest_silence_s = max(self.longest_silence_s, now_s - self._last_s)
        self._last_s = now_s
        self.streams.setdefault(message.connection, InOrder()).take(message)


class InOrder:
    """A stream of messages, hashed in the order of their numbers."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._early: dict[int, bytes] = {}
        self.next = 0

    def take(self, message: Message) -> None:
        """Take the next message, or one that is early."""
        self._early[message.number] = message.data
        while self.next in self._early:
            self._hash.update(self._early.pop(self.next))
            self.next += 1

    @property
    def digest(self) -> str:
        """SHA-256 of what is there without a gap."""
        return self._hash.hexdigest()


async def wait_for(lab: Lab, listeners: list[Listener], connection: int, count: int) -> None:
    """Return once all have so many messages of a stream, or nothing new has come for 5 s."""
    before, since_s = -1, lab.now_s()
    while True:
        have = [each.streams[connection].next for each in listeners if connection in each.streams]
        if len(have) == len(listeners) and min(have) >= count:
            return
        if sum(have) != before:
            before, since_s = sum(have), lab.now_s()
        if lab.now_s() - since_s > 5.0:  # noqa: PLR2004 said above
            return
        await asyncio.sleep(0.1)
