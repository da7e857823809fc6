"""Makes a recorded run again, holds it against the recording, and shows what happened in it."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from ei.dissector.datagrams import dissect
from ei.errors import EiError, NotFoundError
from ei.lab.clock import START_NS, VirtualClock
from ei.lab.eventlog import Entry, read_entry
from ei.lab.network import LOST
from ei.lab.scenario import Scenario, run_in_simulation
from ei.lab.simulation import Simulation
from ei.runtime.loader import load_service

TYPES = {"1": "initiation", "2": "response", "3": "cookie", "4": "data"}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log, in words.

    Attributes:
        number: Its place in the log, from 1.
        at_s: Virtual time from the start of the run.
        sender, receiver: Names of the ends of the link; empty in a note.
        length: Of the datagram.
        what: What the datagram is, as far as who got it could open it; empty when it was lost.
        fate: What became of it; of a note, its text.
    """

    number: int
    at_s: float
    sender: str = ""
    receiver: str = ""
    length: int = 0
    what: str = ""
    fate: str


class Difference(msgspec.Struct, frozen=True):
    """Where a run first is not what was recorded; empty words where one of them has ended."""

    number: int
    at_s: float
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Window:
    """What of a run is shown: the last `limit` events of a node between two times.

    Attributes:
        since_s, until_s: Virtual time from the start; the run is stopped after `until_s`.
        node: Full name of a node or host at either end; `None` for all, notes included.
    """

    since_s: float = 0.0
    until_s: float | None = None
    node: str | None = None
    limit: int = 20


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found.

    Attributes:
        entries: So many of the recorded ones were compared.
        digest: SHA-256 over them as they were replayed, in hex.
        recorded_digest: The same as they were recorded.
        run_digest: Of the whole run with all headers; `None` when it was stopped before its end.
        difference: `None` when all are equal.
        events: The last ones of the window.
    """

    entries: int
    digest: str
    recorded_digest: str
    run_digest: str | None
    difference: Difference | None
    events: tuple[Event, ...]


OnEvent = Callable[[Event], bool]
"""Gets each event of the window as it happens; returns whether to go on."""


def replay(  # noqa: PLR0913 a run, a recording, and what of it
    scenario: Scenario,
    entries: Iterator[bytes],
    *,
    seed: int,
    is_whole: bool = True,
    window: Window = Window(),
    on_event: OnEvent | None = None,
) -> Outcome:
    """Run a scenario from its seed again, beside the recorded entries of its event log.

    It ends at the first difference, at the end of the window, or by itself.

    Args:
        is_whole: Whether the recorded entries are all that there were.
    """
    follower = _Follower(entries, scenario, window, on_event, is_whole=is_whole)
    run_digest = None
    # What ended the recorded run ends this one too: the entries say whether it is the same.
    with suppress(asyncio.CancelledError, EiError):
        run_digest = run_in_simulation(scenario, seed=seed, on_start=follower.start).digest
    return follower.outcome(run_digest)


class _Follower:
    def __init__(
        self,
        entries: Iterator[bytes],
        scenario: Scenario,
        window: Window,
        on_event: OnEvent | None,
        *,
        is_whole: bool,
    ) -> None:
        self._entries = entries
        self._services = {
            load_service(name, scenario.topology.service_folders).manifest.id: name
            for node in scenario.topology.nodes.values()
            for name in node.services
        }
        self._window = window
        self._on_event = on_event
        self._is_whole = is_whole
        self._since_ns = START_NS + round(window.since_s * 1e9)
        until_s = window.until_s
        self._until_ns = None if until_s is None else START_NS + round(until_s * 1e9)
        self._lab: Simulation | None = None
        self._task: asyncio.Task[object] | None = None
        self._is_stopped = False
        self._ends: dict[int, tuple[str, str]] = {}
        self._opened: deque[tuple[int, bytes]] = deque()
        self._shown: deque[tuple[Event, bytes]] = deque(maxlen=window.limit)
        self._hashes = (hashlib.sha256(), hashlib.sha256())
        self._count = 0
        self._difference: Difference | None = None

    def start(self, lab: Simulation, clock: VirtualClock) -> None:
        """Follow `lab`, whose run is the current task."""
        if lab.log is None:
            return
        self._lab, self._task = lab, asyncio.current_task()
        lab.log.watch = self._follow
        clock.at(self._since_ns, self._look)
        if self._until_ns is not None:
            clock.at(self._until_ns + 1, lambda _now_ns: self._stop())

    def outcome(self, run_digest: str | None) -> Outcome:
        """Return what was found."""
        is_over = not self._is_stopped
        if is_over and self._is_whole and (missing := next(self._entries, None)) is not None:
            self._differ(missing, None)
        replayed, recorded = self._hashes
        return Outcome(
            entries=self._count,
            digest=replayed.hexdigest(),
            recorded_digest=recorded.hexdigest(),
            run_digest=run_digest if is_over else None,
            difference=self._difference,
            events=tuple(self._with_words(*each) for each in self._shown),
        )

    def _look(self, _now_ns: int) -> None:
        if self._lab is not None:
            self._lab.network.tap = self._tap

    def _stop(self) -> None:
        self._is_stopped = True
        if self._task is not None:
            _ = self._task.cancel()

    def _tap(
        self, now_ns: int, source: str, to: str, datagram: bytes, *, comment: str = ""
    ) -> None:
        """Keep a datagram, opened where it could be, until its entry comes."""
        _ = source, to, comment
        self._opened.append((now_ns, datagram))

    def _follow(self, entry: bytes) -> None:
        read = read_entry(entry)
        is_after = self._until_ns is not None and read.now_ns > self._until_ns
        if self._is_stopped or is_after:
            return
        recorded = next(self._entries, None)
        if recorded is None and not self._is_whole:
            self._stop()
            return
        self._count += 1
        for hasher, each in zip(self._hashes, (entry, recorded or b""), strict=True):
            hasher.update(each)
        if read.now_ns >= self._since_ns:
            self._show(read)
        if entry != recorded:
            self._differ(recorded, entry)
            self._stop()

    def _show(self, entry: Entry) -> None:
        sender, receiver = self._ends_of(entry.link)
        datagram = self._take_opened(entry)
        if self._window.node not in {None, sender, receiver}:
            return
        event = Event(
            number=self._count,
            at_s=(entry.now_ns - START_NS) / 1e9,
            sender=sender,
            receiver=receiver,
            length=entry.length,
            fate=entry.text,
        )
        self._shown.append((event, datagram))
        if self._on_event is not None and not self._on_event(self._with_words(event, datagram)):
            self._stop()

    def _take_opened(self, entry: Entry) -> bytes:
        """Return the datagram of an entry as it was seen on its arrival; empty when it was not."""
        if entry.text == LOST:
            return b""
        while self._opened:
            at_ns, datagram = self._opened.popleft()
            if (at_ns, len(datagram)) == (entry.now_ns, entry.length):
                return datagram
        return b""

    def _ends_of(self, link: int) -> tuple[str, str]:
        if self._lab is None or not link:
            return "", ""
        if link not in self._ends:
            self._ends[link] = self._lab.network.link_ends(link)
        return self._ends[link]

    def _with_words(self, event: Event, datagram: bytes) -> Event:
        what = self._words(datagram) if datagram else ""
        return msgspec.structs.replace(event, what=what)

    def _words(self, datagram: bytes) -> str:
        fields = {field.name: field.value for field in dissect(datagram)}
        kind = TYPES.get(fields.get("ei.type", ""), "unknown")
        if kind != "data":
            return kind
        number = fields.get("ei.control.service", fields.get("ei.service"))
        if number is None:
            return "data, sealed"
        if number == "0":
            return "signal"
        name = self._services.get(int(number), f"service {number}")
        return f"control, {name}" if "ei.control.service" in fields else name

    def _differ(self, recorded: bytes | None, replayed: bytes | None) -> None:
        both = [None if entry is None else read_entry(entry) for entry in (recorded, replayed)]
        earliest_ns = min(each.now_ns for each in both if each is not None)
        self._difference = Difference(
            self._count if replayed else self._count + 1,
            (earliest_ns - START_NS) / 1e9,
            *("" if each is None else self._told(each) for each in both),
        )

    def _told(self, entry: Entry) -> str:
        at = f"{(entry.now_ns - START_NS) / 1e9:.9f} s"
        if not entry.link:
            return f"{at}: {entry.text}"
        try:
            ends = " > ".join(self._ends_of(entry.link))
        except NotFoundError:
            # Of a link that this run has not used.
            ends = f"link {entry.link}"
        return f"{at}: {ends}, {entry.length} B, {entry.text}"
