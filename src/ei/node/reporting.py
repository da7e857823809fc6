"""Reports to the registry of releases that were given up: sent at once, or with a later poll."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

import msgspec

from ei.daemons.log import Log
from ei.errors import EiError
from ei.registry.reports import Report

MAX_WAITING = 16
"""Of more the oldest are forgotten."""
MAX_TRIES = 10
"""A registry may take no reports of this node, or none at all."""


class Reporting:
    """Sends reports.

    Args:
        send: Signs one and sends it; blocks, raises EiError: on a thread.
        unix_s: Reads the clock: a registry takes no old reports, so each try has its own time.
        counts: Here `reported`, `report_failed` (a try) and `report_lost` are counted.
    """

    def __init__(
        self,
        send: Callable[[Report], None],
        unix_s: Callable[[], float],
        counts: Counter[str],
        log: Log,
    ) -> None:
        self._send = send
        self._unix_s = unix_s
        self._counts = counts
        self._log = log
        self._waiting: deque[tuple[Report, int]] = deque()

    def __repr__(self) -> str:
        return f"<Reporting {len(self._waiting)} waiting>"

    async def send(self, report: Report) -> None:
        """Send a report; one that cannot be sent waits for `send_again`."""
        await self._try(report, 1)

    async def send_again(self) -> None:
        """Send what waits, each once."""
        for _ in range(len(self._waiting)):
            report, tries = self._waiting.popleft()
            now = msgspec.structs.replace(report, unix_s=int(self._unix_s()))
            await self._try(now, tries + 1)

    async def _try(self, report: Report, tries: int) -> None:
        try:
            await asyncio.to_thread(self._send, report)
        except EiError as error:
            self._counts["report_failed"] += 1
            if tries == 1:
                self._log.warn("report not sent", release=report.name, reason=str(error))
            self._wait(report, tries)
        else:
            self._counts["reported"] += 1

    def _wait(self, report: Report, tries: int) -> None:
        if tries < MAX_TRIES:
            self._waiting.append((report, tries))
        if tries >= MAX_TRIES or len(self._waiting) > MAX_WAITING:
            lost = report if tries >= MAX_TRIES else self._waiting.popleft()[0]
            self._counts["report_lost"] += 1
            self._log.error("report given up", release=lost.name, version=lost.version)
