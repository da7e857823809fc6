"""Whether a new version of a service does worse than the one before: events that came to nothing.

Pure: counts and times come in. What is compared is the share of events that failed, of either
version since it runs here; few events say nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ei.node.status import ServiceStatus

FAILED = ("cpu_exceeded", "effect_refused", "no_answer", "service_error", "worker_lost")
"""Reasons why a service's event comes to nothing that are its own fault."""

LEAST_FAILED = 3
"""So many have failed before a version is judged: one may be chance."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Events of a service, and those of them that came to nothing."""

    events: int = 0
    failed: int = 0

    def since(self, before: "Tally") -> "Tally":
        """Return what came after."""
        return Tally(max(0, self.events - before.events), max(0, self.failed - before.failed))

    @property
    def rate(self) -> float:
        """Share that failed; 0 without events."""
        return self.failed / self.events if self.events else 0.0


def tally(service: ServiceStatus) -> Tally:
    """Return what a service has done so far, of all its versions."""
    failed = sum(service.dropped.get(reason, 0) for reason in FAILED)
    failed += sum(service.counters.get(reason, 0) for reason in FAILED)
    return Tally(service.events + service.dropped.get("worker_lost", 0), failed)


@dataclass(slots=True)
class Gate:
    """Watches one service from the start of a version on.

    Args:
        begun: What the service had done when this version began.
        before: What the version before had done here.
        most: Share of its events that may fail beyond twice that of the version before.
        until_s: Until when it is watched.
    """

    begun: Tally
    before: Tally
    most: float
    until_s: float

    def verdict(self, now: Tally, *, now_s: float) -> str:
        """Return what is wrong with the version; empty when nothing is."""
        if now_s >= self.until_s:
            return ""
        seen = now.since(self.begun)
        allowed = 2 * self.before.rate + self.most
        if seen.failed < LEAST_FAILED or seen.rate <= allowed:
            return ""
        return (
            f"{seen.failed} of {seen.events} events failed, {seen.rate:.1%}; allowed are"
            f" {allowed:.1%}, as {self.before.failed} of {self.before.events} did before"
        )


class Gates:
    """The versions that are watched, by service.

    Args:
        most: See `Gate`.
        watch_s: For how long each is watched.
    """

    def __init__(self, *, most: float, watch_s: float) -> None:
        self._most = most
        self._watch_s = watch_s
        self._begun: dict[str, Tally] = {}
        self._gates: dict[str, Gate] = {}

    def __repr__(self) -> str:
        return f"<Gates of {sorted(self._gates)}>"

    @property
    def is_watching(self) -> bool:
        """Whether any version is watched now."""
        return bool(self._gates)

    def begin(self, service: str, ended: Tally, now: Tally, *, now_s: float) -> None:
        """Another version begins.

        Args:
            ended: What the service had done when it was decided to change it.
            now: Likewise when that was done: what the version before held is lost between both, and
                is held against nobody.
        """
        before = ended.since(self._begun.get(service, Tally()))
        self._begun[service] = now
        self._gates[service] = Gate(now, before, self._most, now_s + self._watch_s)

    def end(self, service: str, now: Tally) -> Tally:
        """The version before runs again; return what the one that is given up has done."""
        _ = self._gates.pop(service, None)
        seen = now.since(self._begun.get(service, Tally()))
        self._begun[service] = now
        return seen

    def verdicts(self, now: Mapping[str, Tally], *, now_s: float) -> dict[str, str]:
        """Return what is wrong with the versions that are watched, by service."""
        found: dict[str, str] = {}
        for service, gate in list(self._gates.items()):
            if gate.until_s <= now_s:
                del self._gates[service]
            elif service in now and (why := gate.verdict(now[service], now_s=now_s)):
                found[service] = why
        return found
