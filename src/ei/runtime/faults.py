"""What went wrong in a service, kept short for those who look."""

from collections import deque
from pathlib import Path
from traceback import walk_tb
from typing import TextIO

import msgspec

from ei.sdk import Event

MAX_FAULTS = 16


class Fault(msgspec.Struct, frozen=True):
    """One event that came to nothing.

    Attributes:
        word: `service_error`, `cpu_exceeded`, `no_answer`, `bad_control` or `store_failed`.
        event: Kind of the event, as in `PacketArrived`.
        cause: One line, control characters escaped.
        place: `service.py:31`, where it was raised; empty when not in the service's own files.
    """

    word: str
    event: str
    cause: str
    place: str = ""

    def __str__(self) -> str:
        at = f" at {self.place}" if self.place else ""
        return f"{self.word}: {self.event}: {self.cause}{at}"


class FaultLog:
    """Counts faults and keeps the newest.

    Attributes:
        counts: By word.
        total: Of all words.
        newest: The last few, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.counts: dict[str, int] = {}
        self.total = 0
        self.newest: deque[Fault] = deque(maxlen=MAX_FAULTS)

    def add(self, word: str, event: Event | str, error: BaseException) -> Fault:
        """Count and keep one fault; returns it."""
        kind = event if isinstance(event, str) else type(event).__name__
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        cause = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:500])
        fault = Fault(word, kind, cause, place_of(error, self._folder))
        self.counts[word] = self.counts.get(word, 0) + 1
        self.total += 1
        self.newest.append(fault)
        return fault


def place_of(error: BaseException, folder: Path) -> str:
    """Return the innermost line that an error passed in the files of a folder: `service.py:31`.

    Empty when it passed none.
    """
    place = ""
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file.startswith(str(folder)):
            place = f"{Path(file).name}:{line}"
    return place


REPORT_EVERY_S = 1.0


class FaultReporter:
    """Writes the newest fault to a log, a line a second at most: a flood of them is one line.

    Attributes:
        reported: How many faults the lines so far speak of.
    """

    def __init__(self, name: str, log: TextIO) -> None:
        self._name = name
        self._log = log
        self.reported = 0
        self._next_s = 0.0

    def report(self, faults: FaultLog, now_s: float) -> None:
        """Write a line if there is news and it is time."""
        if faults.total == self.reported or now_s < self._next_s:
            return
        since = faults.total - self.reported
        more = f" (and {since - 1} more)" if since > 1 else ""
        print(f"worker {self._name}: {faults.newest[-1]}{more}", file=self._log, flush=True)
        self.reported = faults.total
        self._next_s = now_s + REPORT_EVERY_S
