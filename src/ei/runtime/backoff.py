"""How long to wait before what died is started again."""

import msgspec

FIRST_S = 0.05
LONGEST_S = 5.0
STABLE_S = 10.0
"""What lived so long is taken for sound: its next death is a first one."""

OPENS_AFTER = 5
"""Deaths in a row, after which the wait is the longest at once: it is not going to help itself."""


class Backoff:
    """Doubles from 50 ms with each death, 5 s after the fifth; over once an instance was stable."""

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        stable_s: float = STABLE_S,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._stable_s = stable_s
        self._delay_s = first_s
        self._started_s: float | None = None
        self._deaths = 0
        self._in_a_row = 0

    @property
    def is_open(self) -> bool:
        """Whether it has died so often in a row that it is tried now and then only."""
        return self._in_a_row >= OPENS_AFTER

    def __repr__(self) -> str:
        return f"<Backoff {self._deaths} deaths, next after {self._delay_s} s>"

    def started(self, now_s: float) -> None:
        """Note that an instance runs since `now_s`."""
        self._started_s = now_s

    def died(self, now_s: float) -> float:
        """Note that it died, or could not be started; return when to start the next."""
        if self._started_s is not None and now_s - self._started_s >= self._stable_s:
            self._delay_s, self._in_a_row = self._first_s, 0
        self._started_s = None
        self._deaths += 1
        self._in_a_row += 1
        if self.is_open:
            self._delay_s = self._longest_s
        at_s = now_s + self._delay_s
        self._delay_s = min(2 * self._delay_s, self._longest_s)
        return at_s

    def statistics(self) -> "BackoffStatistics":
        """Return how often it died, and how long the next wait is."""
        return BackoffStatistics(self._deaths, self._delay_s)


class BackoffStatistics(msgspec.Struct, frozen=True):
    """What a `Backoff` has seen."""

    deaths: int
    next_delay_s: float
