"""Attachments on their way to the directories that are to keep them; repeated until they do."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ei.directory.deadlines import Deadlines
from ei.directory.messages import Message, Register
from ei.sdk.packets import Address

FIRST_S = 0.5
LONGEST_S = 30.0
WINDOW = 64
"""Under way to one directory at a time: its signatures cost it 10,000 a second at most."""

MAX_HANDED = 65_536


@dataclass(slots=True)
class Handed:
    """One attachment for one directory.

    Attributes:
        expires_s: When it is given up.
        wait_s: Until it is repeated; 0 before it was sent.
    """

    envelope: bytes
    sequence: int
    expires_s: float
    wait_s: float = 0.0


class HandingStatistics(msgspec.Struct, frozen=True):
    """How many are on their way, and how many found no room."""

    waiting: int
    full: int


class Handing:
    """By directory and host: a newer attachment takes the place of an older one.

    Args:
        send: Takes what is to be sent to whom.

    Attributes:
        deadlines: When `poll` has something to do.
    """

    def __init__(self, *, send: Callable[[Address, Message], None]) -> None:
        self._send = send
        self._handed: dict[Address, dict[Address, Handed]] = {}
        self._under_way: dict[Address, int] = {}
        self.deadlines: Deadlines[tuple[Address, Address]] = Deadlines()
        self._count = 0
        self._full = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Handing {self._count}/{MAX_HANDED} attachments>"

    def add(self, directory: Address, host: Address, handed: Handed, *, now_s: float) -> None:
        """Hand an attachment over; one that is on its way already and as new stays."""
        hosts = self._handed.setdefault(directory, {})
        before = hosts.get(host)
        if before is not None:
            if before.sequence >= handed.sequence:
                return
            self._remove(directory, host)
        elif self._count >= MAX_HANDED:
            self._full += 1
            return
        self._handed.setdefault(directory, {})[host] = handed
        self._count += 1
        self._fill(directory, now_s=now_s)

    def take_registered(
        self, directory: Address, host: Address, sequence: int, *, now_s: float
    ) -> bool:
        """Take it that a directory has answered; return whether it was asked."""
        handed = self._handed.get(directory, {}).get(host)
        if handed is None or handed.sequence > sequence:
            return False
        self._remove(directory, host)
        self._fill(directory, now_s=now_s)
        return True

    def peer_up(self, directory: Address, *, now_s: float) -> None:
        """Repeat at once what a directory has not answered: it may have been restarted."""
        for host, handed in self._handed.get(directory, {}).items():
            if handed.wait_s:
                handed.wait_s = FIRST_S
                self.deadlines.set((directory, host), now_s)

    def poll(self, now_s: float) -> None:
        """Repeat what was not answered; give up what has expired."""
        while (due := self.deadlines.take_due(now_s)) is not None:
            directory, host = due
            handed = self._handed[directory][host]
            if handed.expires_s <= now_s:
                self._remove(directory, host)
                self._fill(directory, now_s=now_s)
                continue
            self._repeat(directory, host, handed, now_s=now_s)

    def statistics(self) -> HandingStatistics:
        """Return how many there are."""
        return HandingStatistics(self._count, self._full)

    def _fill(self, directory: Address, *, now_s: float) -> None:
        for host, handed in self._handed.get(directory, {}).items():
            if self._under_way.get(directory, 0) >= WINDOW:
                return
            if not handed.wait_s:
                self._under_way[directory] = self._under_way.get(directory, 0) + 1
                handed.wait_s = FIRST_S / 2
                self._repeat(directory, host, handed, now_s=now_s)

    def _repeat(self, directory: Address, host: Address, handed: Handed, *, now_s: float) -> None:
        handed.wait_s = min(2 * handed.wait_s, LONGEST_S)
        self.deadlines.set((directory, host), now_s + handed.wait_s)
        self._send(directory, Register(handed.envelope))

    def _remove(self, directory: Address, host: Address) -> None:
        handed = self._handed[directory].pop(host)
        self._count -= 1
        self.deadlines.clear((directory, host))
        if handed.wait_s:
            self._under_way[directory] -= 1
        if not self._handed[directory]:
            del self._handed[directory]
            del self._under_way[directory]
