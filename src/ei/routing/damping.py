"""What comes and goes too often is not believed for a while (after RFC 2439, figures of RFC 7196).

Each withdrawal or loss adds to a penalty that halves every 15 s. Above 6_000 its subject is damped,
until the penalty is below 3_000: after one more half-life at best, two at worst.
"""

from collections.abc import Hashable
from math import exp2, log2
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

LOSS = 1_000.0
CHANGE = 250.0
HALF_LIFE_S = 15.0
SUPPRESS = 6_000.0
REUSE = 3_000.0
MOST = 12_000.0
FORGET = 100.0
LOOK_S = 1.0
"""How often `take_reusable` is to be called while anything is damped."""


class Damping(Generic[KeyT]):
    """Penalties of many subjects.

    Args:
        limit: Subjects; beyond it the one that was penalized first is forgotten.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._penalties: dict[KeyT, tuple[float, float]] = {}
        self._damped: set[KeyT] = set()

    def __len__(self) -> int:
        return len(self._damped)

    def __repr__(self) -> str:
        return f"<Damping of {len(self._penalties)} subjects, {len(self)} damped>"

    def add(self, key: KeyT, amount: float, *, now_s: float) -> bool:
        """Add to a penalty; return whether the subject became damped by it."""
        penalty = min(self.penalty(key, now_s=now_s) + amount, MOST)
        if key not in self._penalties and len(self._penalties) >= self._limit:
            self._forget(next(iter(self._penalties)))
        self._penalties[key] = (penalty, now_s)
        if penalty < SUPPRESS or key in self._damped:
            return False
        self._damped.add(key)
        return True

    def penalty(self, key: KeyT, *, now_s: float) -> float:
        """Return the penalty as it is now."""
        penalty, at_s = self._penalties.get(key, (0.0, now_s))
        return penalty * exp2(-max(now_s - at_s, 0.0) / HALF_LIFE_S)

    def is_damped(self, key: KeyT) -> bool:
        """Return whether the subject is damped, as of the last `take_reusable`."""
        return key in self._damped

    def take_reusable(self, *, now_s: float) -> list[KeyT]:
        """Return what is damped no longer, and forget what has not moved for long."""
        reusable = [key for key in self._damped if self.penalty(key, now_s=now_s) < REUSE]
        self._damped.difference_update(reusable)
        for key in [each for each in self._penalties if self.penalty(each, now_s=now_s) < FORGET]:
            self._forget(key)
        return reusable

    def rests_until_s(self, key: KeyT, *, now_s: float) -> float:
        """Return when a subject is damped no longer, if it keeps still; now if it is not."""
        if key not in self._damped:
            return now_s
        penalty, at_s = self._penalties[key]
        return at_s + HALF_LIFE_S * log2(max(penalty, REUSE) / REUSE) + LOOK_S

    def _forget(self, key: KeyT) -> None:
        del self._penalties[key]
        self._damped.discard(key)
