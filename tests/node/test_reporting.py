"""What cannot be reported is reported later, a bounded number of times."""

import asyncio
import io
from collections import Counter

import msgspec

from ei.daemons.log import Log
from ei.errors import UnreachableError
from ei.node.reporting import MAX_TRIES, MAX_WAITING, Reporting
from ei.registry.reports import Report
from ei.sdk import Address

REPORT = Report(
    node=Address(b"n" * 16),
    name="hello",
    version="1.0.0",
    digest="sha256:" + "0" * 64,
    events=10,
    failed=5,
    why="it fails",
    unix_s=1,
)


class Registry:
    """One that may be away."""

    def __init__(self) -> None:
        log, self.now_s = Log(io.StringIO()), 1.0
        self.is_away = True
        self.taken: list[Report] = []
        self.counts: Counter[str] = Counter()
        self.reporting = Reporting(self.take, lambda: self.now_s, self.counts, log)

    def take(self, report: Report) -> None:
        if self.is_away:
            raise UnreachableError("nobody answers")
        self.taken.append(report)


def test_what_could_not_be_sent_is_sent_with_a_later_poll_once() -> None:
    registry = Registry()

    async def main() -> None:
        await registry.reporting.send(REPORT)
        await registry.reporting.send_again()
        registry.is_away, registry.now_s = False, 9.5
        await registry.reporting.send_again()
        await registry.reporting.send_again()

    asyncio.run(main())

    assert registry.taken == [msgspec.structs.replace(REPORT, unix_s=9)]
    assert registry.counts == {"report_failed": 2, "reported": 1}


def test_a_registry_that_takes_no_reports_is_not_asked_for_ever() -> None:
    registry = Registry()

    async def main() -> None:
        await registry.reporting.send(REPORT)
        for _ in range(2 * MAX_TRIES):
            await registry.reporting.send_again()

    asyncio.run(main())

    assert registry.counts == {"report_failed": MAX_TRIES, "report_lost": 1}


def test_so_many_wait_and_the_oldest_are_forgotten() -> None:
    registry = Registry()
    reports = [msgspec.structs.replace(REPORT, events=each) for each in range(MAX_WAITING + 2)]

    async def main() -> None:
        for report in reports:
            await registry.reporting.send(report)
        registry.is_away = False
        await registry.reporting.send_again()

    asyncio.run(main())

    assert registry.taken == reports[2:]
    assert registry.counts["report_lost"] == 2
