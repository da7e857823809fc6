"""What was refused: counted by reason, and the latest kept for who asks why."""

from collections import Counter, deque

import msgspec

from ei.routing.announcements import Announcement
from ei.routing.verifying import Reason
from ei.sdk.packets import Address

MAX_REFUSALS = 256


class Refusal(msgspec.Struct, frozen=True):
    """One message or announcement that was not believed.

    Attributes:
        sender: The peer from which it came.
        origin: The domain that it would have led to; `None` when that could not be read.
        path: The nearest domain first; empty when it could not be read.
        detail: In words.
    """

    unix_s: float
    sender: Address
    origin: int | None
    path: tuple[int, ...]
    reason: Reason
    detail: str


class Refusals:
    """Counts, and the latest 256."""

    def __init__(self) -> None:
        self._counts = Counter[Reason]()
        self._latest: deque[Refusal] = deque(maxlen=MAX_REFUSALS)

    def __repr__(self) -> str:
        return f"<Refusals {dict(self._counts)}>"

    @property
    def counts(self) -> dict[str, int]:
        """Refused by reason."""
        return {reason: self._counts[reason] for reason in sorted(self._counts)}

    def note(
        self,
        sender: Address,
        reason: Reason,
        detail: str,
        said: Announcement | None = None,
        *,
        unix_s: float,
    ) -> None:
        """Note one.

        Args:
            said: What was announced, if it could be read.
        """
        origin, path = (None, ()) if said is None else (said.origin, said.path)
        self._counts[reason] += 1
        self._latest.append(Refusal(unix_s, sender, origin, path, reason, detail))

    def of(self, origin: int) -> list[Refusal]:
        """Return the latest refusals of ways to a domain, the newest first."""
        return [each for each in reversed(self._latest) if each.origin == origin]
