"""What `ei dev` says of the module that it runs: saves, events, errors, deaths."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ei.cli.happenings import (
    MIB,
    cost_of,
    death_problem,
    fault_problem,
    kinds_of,
    shortened,
)
from ei.cli.output import Output, printable
from ei.cli.problems import Problem, problem_of, say_problem
from ei.cli.quantities import duration
from ei.errors import EiError

if TYPE_CHECKING:
    from ei.lab.ending import Ended
    from ei.node.admin import EventsAnswer
    from ei.node.watching import Died, Entry, Limits
    from ei.runtime.watching import Handled
    from ei.sdk import Manifest

LINES_PER_S = 20
"""Of events and of errors each; more of them are counted. --json has them all."""

AGAIN_S = 1.0
"""From the death of the node itself to the next try."""


class Shop(Protocol):
    """What runs the module: `ei.lab.workshop.Workshop`."""

    @property
    def is_open(self) -> bool: ...
    def load(
        self, manifest: "Manifest", *, is_fresh: bool, on_progress: Callable[[str], object] = ...
    ) -> bool: ...
    def take_events(self) -> "EventsAnswer": ...
    def close(self) -> "Ended | None": ...


class Budget:
    """So many lines a second; what is left out is counted.

    Args:
        what: In words, as in `events`.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def take(self, now_s: float, say: Callable[[str], object]) -> bool:
        """Return whether there may be another line; say how many were left out before."""
        self.turn(now_s, say)
        self._lines += 1
        if self._lines <= LINES_PER_S:
            return True
        self._left_out += 1
        return False

    def turn(self, now_s: float, say: Callable[[str], object]) -> None:
        """Begin the next second, when it is time."""
        if int(now_s) == self._second:
            return
        self._second, self._lines = int(now_s), 0
        if self._left_out:
            _ = say(f"{self._left_out} more {self._what} in that second")
            self._left_out = 0


class Desk:
    """Has the module run, and says what comes of it.

    Args:
        folder: Of the module.
        shop: Runs it.
        output: Where it is said.
        is_fresh: Whether each save begins without what was stored.
    """

    def __init__(self, folder: Path, shop: Shop, output: Output, *, is_fresh: bool) -> None:
        self._folder = folder
        self._shop = shop
        self._output = output
        self._is_fresh = is_fresh
        self._manifest: Manifest | None = None
        self._saved_s: float | None = None
        self._is_kept = False
        self._has_started = self._is_running = False
        self._deaths = 0
        self._last_cause = ""
        self._again_s = 0.0
        self._events, self._errors = Budget("events"), Budget("errors")

    def load(self, saved_s: float) -> None:
        """Run the module as its files are now, or say why not.

        Args:
            saved_s: When it was saved, on the monotonic clock.
        """
        from ei.runtime.loader import read_service

        self._deaths, self._last_cause = 0, ""
        was_open = self._shop.is_open
        try:
            self._manifest = read_service(self._folder).manifest
            if was_open:
                self._take_events()  # of what ran before
            self._is_running, self._saved_s = False, saved_s
            self._is_kept = self._shop.load(
                self._manifest, is_fresh=self._is_fresh, on_progress=self._output.progress
            )
        except (EiError, OSError) as error:
            self._complain(problem_of(error))
            self._output.talk(
                "what ran before goes on; the next save is tried"
                if self._shop.is_open
                else "nothing runs yet; the next save is tried"
            )
        else:
            if not was_open:
                self._welcome(self._manifest)

    def look(self, saved_s: float | None) -> None:
        """Take what is new: a save, and what the node tells.

        Args:
            saved_s: When something was saved, on the monotonic clock; `None` when nothing was.
        """
        now_s = time.monotonic()
        self._events.turn(now_s, self._output.talk)
        self._errors.turn(now_s, self._output.complain)
        if saved_s is not None:
            self.load(saved_s)
        try:
            if self._shop.is_open:
                self._take_events()
            elif self._manifest is not None and now_s >= self._again_s > 0:
                self._again_s = 0.0
                self.load(now_s)
        except EiError as error:  # of the node itself
            self._complain(problem_of(error))
            _ = self._shop.close()
            self._again_s = now_s + AGAIN_S

    def _take_events(self) -> None:
        answer = self._shop.take_events()
        for each in answer.events:
            self._take(each.entry, answer.limits)

    def _take(self, entry: "Entry", limits: "Limits") -> None:
        from ei.node.watching import Died, Running
        from ei.runtime.watching import Handled

        match entry:
            case Running():
                self._is_running, self._has_started = True, False
            case Handled():
                self._handled(entry, limits)
            case Died():
                self._died(entry, limits)

    def _handled(self, handled: "Handled", limits: "Limits") -> None:
        now_s = time.monotonic()
        if self._saved_s is None and not self._has_started:
            self._output.talk("it runs again")
        self._has_started = True
        if self._is_running and self._saved_s is not None:
            self._say_loaded(now_s - self._saved_s)
            self._saved_s = None
        if self._output.is_json or self._events.take(now_s, self._output.talk):
            dropped = f"   dropped: {', '.join(handled.dropped)}" if handled.dropped else ""
            self._output.fold(
                printable(f"{kinds_of(handled.events)}   {cost_of(handled, limits)}{dropped}"),
                indent="    ",
            )
        self._tell("handled", handled)
        for fault in handled.faults:
            self._complain(fault_problem(fault, limits, self._folder))

    def _died(self, died: "Died", limits: "Limits") -> None:
        self._deaths += 1
        self._saved_s = None
        if died.cause != self._last_cause:
            self._last_cause = died.cause
            self._complain(death_problem(died, limits, self._folder, has_started=self._has_started))
        when = f"it is started again in {duration(max(died.again_s, 1e-3))}"
        self._output.talk(f"death {self._deaths} since the last save; {when}")
        self._tell("died", died)

    def _complain(self, problem: Problem) -> None:
        if self._output.is_json or self._errors.take(time.monotonic(), self._output.complain):
            short = Problem(problem.kind, shortened(problem.cause, self._folder), problem.action)
            _ = say_problem(short, self._output, width=self._output.width)

    def _tell(self, what: str, entry: "Entry") -> None:
        import msgspec

        self._output.document("ei.dev-event/1", {"what": what, **msgspec.to_builtins(entry)})

    def _welcome(self, manifest: "Manifest") -> None:
        from ei.lab.workshop import NODE
        from ei.node.watching import limits_of

        limits = limits_of(manifest)
        self._output.fold(
            f"{manifest.name}@{manifest.version} runs on {NODE}, tier {manifest.tier}:"
            f" {limits.cpu_ms} ms of CPU time and {limits.effects} effects for an event,"
            f" {limits.memory_bytes / MIB:.0f} MiB"
        )
        self._output.talk(f"watching {self._folder.name}/ for saves; Ctrl-C ends it")
        self._output.next(f"ei invoke {manifest.name} ping   (in another terminal)")

    def _say_loaded(self, took_s: float) -> None:
        state = "kept" if self._is_kept else "new"
        hint = "; --fresh begins anew" if self._is_kept else ""
        self._output.data(f"loaded in {duration(took_s)} (state {state}{hint})")
        self._output.document("ei.dev-loaded/1", {"took_s": round(took_s, 4), "state": state})
